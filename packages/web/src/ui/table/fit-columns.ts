import type { TableColumn } from './column.ts';

/** A column that grows gets this multiple of its width before the others get a share too. */
const GROWTH = 2;

/**
 * The columns that fit into `available` px, in their order; null: not known yet. Too narrow: those that
 * may yield are left out. Wide: all columns share what is left, so that a row can be read across.
 */
export function fitColumns<Row>(
  columns: readonly TableColumn<Row>[],
  available: number | null,
): readonly TableColumn<Row>[] {
  if (available === null) return columns;
  const fitting = withoutYielding(columns, available);
  const growing = fitting.filter(({ grow }) => grow);
  const others = fitting.filter(({ grow }) => !grow);
  const spare = available - GROWTH * widthOf(growing) - widthOf(others);
  if (growing.length === 0 || spare <= 0) return fitting;
  const factor = 1 + spare / (GROWTH * widthOf(growing) + widthOf(others));
  return fitting.map((column) =>
    column.grow ? column : { ...column, width: Math.floor(column.width * factor) },
  );
}

function withoutYielding<Row>(
  columns: readonly TableColumn<Row>[],
  available: number,
): readonly TableColumn<Row>[] {
  let fitting = columns;
  while (widthOf(fitting) > available) {
    const rank = Math.max(0, ...fitting.map(({ yields }) => yields ?? 0));
    if (rank === 0) break;
    fitting = fitting.filter(({ yields }) => yields !== rank);
  }
  return fitting;
}

const widthOf = <Row>(columns: readonly TableColumn<Row>[]): number =>
  columns.reduce((sum, { width }) => sum + width, 0);
