import { expect, it } from 'vitest';
import type { TableColumn } from './column.ts';
import {
  DEFAULT_COLUMNS,
  movedTo,
  orderedColumns,
  parseColumnChoice,
  visibleColumns,
} from './column-choice.ts';

const column = (id: string, more: object = {}): TableColumn<string> => ({
  ...{ id, header: id, width: 100, cell: () => id },
  ...more,
});
const COLUMNS = [
  column('name', { locked: true }),
  column('price', { yields: 1 }),
  column('region', { hidden: true }),
  column('user'),
];
const ids = (columns: readonly TableColumn<string>[]) => columns.map(({ id }) => id);

it('shows the default columns until the reader chooses, and always the locked ones', () => {
  expect(ids(visibleColumns(COLUMNS, DEFAULT_COLUMNS))).toEqual(['name', 'price', 'user']);
  const chosen = visibleColumns(COLUMNS, { shown: ['region'], order: [] });
  expect(ids(chosen)).toEqual(['name', 'region']);
});

it('has columns in the order of the reader, after the locked ones', () => {
  const order = ['user', 'name', 'price'];
  expect(ids(visibleColumns(COLUMNS, { shown: null, order }))).toEqual(['name', 'user', 'price']);
  const [, , price] = visibleColumns(COLUMNS, { shown: null, order });
  expect(price?.yields).toBe(1);
});

it('puts columns that are new behind those they follow by default', () => {
  expect(ids(orderedColumns(COLUMNS, ['user', 'gone', 'price']))).toEqual([
    'name',
    'user',
    'price',
    'region',
  ]);
  expect(ids(orderedColumns(COLUMNS, ['region']))).toEqual(['name', 'price', 'region', 'user']);
});

it.each([
  ['a', 2, ['b', 'c', 'a']],
  ['c', 0, ['c', 'a', 'b']],
  ['b', 9, ['a', 'c', 'b']],
  ['b', -1, ['b', 'a', 'c']],
  ['b', 1, ['a', 'b', 'c']],
  ['x', 0, ['a', 'b', 'c']],
])('moves %s to place %i', (id, place, expected) => {
  expect(movedTo(['a', 'b', 'c'], id, place)).toEqual(expected);
});

it('reads what this and earlier versions have saved, and ignores everything else', () => {
  expect(parseColumnChoice(['user', 'user'])).toEqual({ shown: ['user'], order: [] });
  const saved = { shown: null, order: ['user', 'price'] };
  expect(parseColumnChoice(JSON.parse(JSON.stringify(saved)))).toEqual(saved);
  for (const strange of [null, 7, 'user', { shown: 1, order: [1] }, [1]]) {
    expect(parseColumnChoice(strange)).toEqual(DEFAULT_COLUMNS);
  }
});
