/** An item that a table draws: a row, or the heading of a group. */
export type TableItem<Row> =
  | { readonly kind: 'row'; readonly row: Row }
  | { readonly kind: 'group'; readonly name: string; readonly count: number };

const COLLATOR = new Intl.Collator('en', { numeric: true, sensitivity: 'base' });

/** Groups by name, each with its rows in their order; without `groupOf` only the rows. */
export function tableItems<Row>(
  rows: readonly Row[],
  groupOf: ((row: Row) => string) | undefined,
): readonly TableItem<Row>[] {
  if (groupOf === undefined) return rows.map((row) => ({ kind: 'row', row }));
  return [...Map.groupBy(rows, groupOf)]
    .sort(([a], [b]) => COLLATOR.compare(a, b))
    .flatMap(([name, members]): TableItem<Row>[] => [
      { kind: 'group', name, count: members.length },
      ...members.map((row) => ({ kind: 'row' as const, row })),
    ]);
}
