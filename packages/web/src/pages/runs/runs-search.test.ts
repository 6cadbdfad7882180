import { expect, it } from 'vitest';
import { RunsSearch } from './runs-search.ts';

it('reads the filters of a link', () => {
  const search = { q: 'train', status: 'failed', type: 'task', user: 'ada' };
  expect(RunsSearch.parse(search)).toEqual(search);
});

it('ignores values that make no sense', () => {
  const parsed = RunsSearch.parse({ q: 'x'.repeat(5000), status: 'lost', type: 7, other: 1 });
  expect(Object.values(parsed).filter((value) => value !== undefined)).toEqual([]);
});
