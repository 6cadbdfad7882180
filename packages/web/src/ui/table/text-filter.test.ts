import { expect, it } from 'vitest';
import { filterByText } from './text-filter.ts';

const rows = [
  { name: 'gpu-pool', project: 'main', note: null },
  { name: 'cpu-pool', project: 'team', note: 'GPU later' },
];
const found = (text: string) =>
  filterByText(rows, text, ({ name, project, note }) => [name, project, note]).map(
    ({ name }) => name,
  );

it('finds rows that have all words somewhere, whatever the case', () => {
  expect(found('GPU')).toEqual(['gpu-pool', 'cpu-pool']);
  expect(found(' gpu  team ')).toEqual(['cpu-pool']);
  expect(found('nothing')).toEqual([]);
});

it('returns the same rows for an empty text', () => {
  expect(filterByText(rows, '  ', () => [])).toBe(rows);
});
