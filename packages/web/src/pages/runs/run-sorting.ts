import type { Sorting } from '../../ui/table/column.ts';

/** From the address: `cost` or `-cost`, from the highest on. */
export function readSorting(text: string | undefined): Sorting | null {
  if (text === undefined || text === '') return null;
  return text.startsWith('-')
    ? { column: text.slice(1), descending: true }
    : { column: text, descending: false };
}

export function writeSorting(sorting: Sorting | null): string | undefined {
  return sorting === null ? undefined : `${sorting.descending ? '-' : ''}${sorting.column}`;
}
