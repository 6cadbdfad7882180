import type { TableColumn } from './column.ts';

/** The columns of a table that the reader has chosen, and their order. */
export interface ColumnChoice {
  /** Null: the defaults. */
  readonly shown: readonly string[] | null;
  /** The ids of columns in the chosen order; contains at least those that were moved. */
  readonly order: readonly string[];
}

export const DEFAULT_COLUMNS: ColumnChoice = { shown: null, order: [] };

const MOST_COLUMNS = 100;

/** Choices of earlier versions are the shown columns alone. */
export function parseColumnChoice(saved: unknown): ColumnChoice {
  if (Array.isArray(saved)) return { shown: idsOf(saved), order: [] };
  const { shown, order } = (saved ?? {}) as Record<string, unknown>;
  return { shown: idsOf(shown), order: idsOf(order) ?? [] };
}

function idsOf(saved: unknown): readonly string[] | null {
  if (!Array.isArray(saved) || !saved.every((id) => typeof id === 'string')) return null;
  return [...new Set<string>(saved)].slice(0, MOST_COLUMNS);
}

/** All columns in the reader's order. Locked ones stay first; unknown ones follow their neighbours. */
export function orderedColumns<Row>(
  columns: readonly TableColumn<Row>[],
  order: readonly string[],
): readonly TableColumn<Row>[] {
  const movable = columns.filter(({ locked }) => !locked);
  const placed = order.flatMap((id) => movable.find((column) => column.id === id) ?? []);
  for (const [index, column] of movable.entries()) {
    if (placed.includes(column)) continue;
    const before = movable[index - 1];
    placed.splice(before === undefined ? 0 : placed.indexOf(before) + 1, 0, column);
  }
  return [...columns.filter(({ locked }) => locked), ...placed];
}

/** The columns that are shown, in their order. */
export function visibleColumns<Row>(
  columns: readonly TableColumn<Row>[],
  { shown, order }: ColumnChoice,
): readonly TableColumn<Row>[] {
  const ordered = order.length === 0 ? columns : orderedColumns(columns, order);
  if (shown === null) return ordered.filter(({ locked, hidden }) => locked || !hidden);
  return ordered
    .filter(({ id, locked }) => locked || shown.includes(id))
    .map(({ yields: _, ...column }) => column);
}

/** The ids with one of them moved to a place; the same ones if it is there or unknown. */
export function movedTo(ids: readonly string[], id: string, place: number): readonly string[] {
  const from = ids.indexOf(id);
  const to = Math.min(Math.max(place, 0), ids.length - 1);
  if (from < 0 || from === to) return ids;
  const others = ids.filter((other) => other !== id);
  return [...others.slice(0, to), id, ...others.slice(to)];
}
