import type { ReactNode } from 'react';

/** One column of a table; a catalogue of them serves table, cards, column menu and sorting. */
export interface TableColumn<Row> {
  readonly id: string;
  readonly header: string;
  /** Width in px; the smallest one if the column grows. */
  readonly width: number;
  /** Takes a share of the remaining width. */
  readonly grow?: boolean;
  readonly align?: 'end';
  readonly cell: (row: Row) => ReactNode;
  /** The value in exported files; absent: they have the text of the cell. */
  readonly value?: (row: Row) => string | number | null;
  /** Loaded for visible rows alone, so that exported files, which have all, are without it. */
  readonly notExported?: true;
  /** The value to sort by; null sorts last. */
  readonly sort?: (row: Row) => string | number | null;
  /** Cannot be switched off. */
  readonly locked?: boolean;
  /** Switched off until the reader chooses it. */
  readonly hidden?: boolean;
  /**
   * Rank among the columns that are left out of a table too narrow for all of them: the highest is the
   * first. Columns without it, and those that the reader has chosen, stay.
   */
  readonly yields?: number;
  /** Where it appears on narrow screens; left out there by default. */
  readonly card?: 'title' | 'status' | 'detail';
}

export interface Sorting {
  readonly column: string;
  readonly descending: boolean;
}

/** Sorted rows; the given ones if the column is unknown. Equal rows keep their order. */
export function sortRows<Row>(
  rows: readonly Row[],
  columns: readonly TableColumn<Row>[],
  sorting: Sorting | null,
): readonly Row[] {
  const value = columns.find(({ id }) => id === sorting?.column)?.sort;
  if (sorting === null || value === undefined) return rows;
  const direction = sorting.descending ? -1 : 1;
  return rows
    .map((row) => ({ row, key: value(row) }))
    .sort((a, b) => {
      if (a.key === null || b.key === null) return Number(a.key === null) - Number(b.key === null);
      return direction * compare(a.key, b.key);
    })
    .map(({ row }) => row);
}

const COLLATOR = new Intl.Collator('en', { numeric: true, sensitivity: 'base' });

function compare(a: string | number, b: string | number): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  return COLLATOR.compare(String(a), String(b));
}
