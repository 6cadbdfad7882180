import { expect, it } from 'vitest';
import type { TableColumn } from './column.ts';
import { visibleColumns } from './column-choice.ts';
import { fitColumns } from './fit-columns.ts';

const column = (id: string, width: number, more: object = {}): TableColumn<string> => ({
  ...{ id, header: id, width, cell: () => id },
  ...more,
});
const COLUMNS = [
  column('name', 200, { grow: true }),
  column('type', 100, { yields: 2 }),
  column('user', 100, { yields: 1 }),
  column('price', 100),
];
const widths = (available: number | null, columns = COLUMNS) =>
  fitColumns(columns, available).map(({ id, width }) => `${id} ${width}`);

it('changes nothing where all columns fit, or before the width of the table is known', () => {
  expect(fitColumns(COLUMNS, 500)).toEqual(COLUMNS);
  expect(fitColumns(COLUMNS, 699)).toEqual(COLUMNS);
  expect(fitColumns(COLUMNS, null)).toEqual(COLUMNS);
});

it('leaves out columns that may yield, the highest rank first, and only as many as needed', () => {
  expect(widths(499)).toEqual(['name 200', 'user 100', 'price 100']);
  expect(widths(399)).toEqual(['name 200', 'price 100']);
});

it('keeps the others even if they do not fit, so that they can be scrolled to', () => {
  expect(widths(100)).toEqual(['name 200', 'price 100']);
});

it('keeps the columns that the reader has chosen', () => {
  expect(
    widths(300, [...visibleColumns(COLUMNS, { shown: ['name', 'type', 'price'], order: [] })]),
  ).toEqual(['name 200', 'type 100', 'price 100']);
});

it('spreads a wide table over all columns instead of opening a gap after the first', () => {
  expect(widths(1400)).toEqual(['name 200', 'type 200', 'user 200', 'price 200']);
});

it('spreads nothing where no column grows', () => {
  const columns = [column('one', 100), column('two', 100)];
  expect(fitColumns(columns, 1000)).toEqual(columns);
});
