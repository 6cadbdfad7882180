import { expect, it } from 'vitest';
import { sortRows, type TableColumn } from './column.ts';

interface Row {
  readonly name: string;
  readonly price: number | null;
}

const columns: readonly TableColumn<Row>[] = [
  { id: 'name', header: 'Name', width: 1, locked: true, cell: () => null, sort: (r) => r.name },
  { id: 'price', header: 'Price', width: 1, cell: () => null, sort: (r) => r.price },
  { id: 'region', header: 'Region', width: 1, hidden: true, cell: () => null },
];
const rows: readonly Row[] = [
  { name: 'run-10', price: 2 },
  { name: 'run-9', price: null },
  { name: 'Run-1', price: 7 },
];
const names = (sorted: readonly Row[]) => sorted.map(({ name }) => name);

it('sorts texts with numbers as people expect', () => {
  const sorted = sortRows(rows, columns, { column: 'name', descending: false });
  expect(names(sorted)).toEqual(['Run-1', 'run-9', 'run-10']);
});

it.each([true, false])('sorts missing values last, descending %s', (descending) => {
  const sorted = sortRows(rows, columns, { column: 'price', descending });
  expect(names(sorted).at(-1)).toBe('run-9');
});

it('keeps the order for a column that cannot be sorted', () => {
  expect(sortRows(rows, columns, { column: 'region', descending: true })).toBe(rows);
});
