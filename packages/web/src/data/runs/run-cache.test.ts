import { expect, it } from 'vitest';
import { type RunPages, withHead } from './run-cache.ts';
import type { RunRow } from './run-row.ts';

const row = (id: string, second: number, status = 'running') =>
  ({ id, submittedAt: `2026-11-26T12:00:${String(second).padStart(2, '0')}Z`, status }) as RunRow;
const pages = (...list: RunRow[][]): RunPages => ({
  pages: list,
  pageParams: list.map(() => null),
});
const ids = ({ pages }: RunPages) => pages.map((page) => page.map(({ id }) => id).join(''));

it('puts new runs on top and takes the newer state of known ones', () => {
  const before = pages([row('b', 20), row('a', 10)], [row('0', 5)]);
  const after = withHead(before, [row('c', 30), row('b', 20, 'done'), row('a', 10)]);
  expect(ids(after)).toEqual(['cba', '0']);
  expect(after.pages[0]?.[1]?.status).toBe('done');
});

it('removes runs that the server no longer lists', () => {
  const before = pages([row('c', 30), row('b', 20)], [row('a', 10)]);
  expect(ids(withHead(before, [row('c', 30), row('a', 10)]))).toEqual(['ca', '']);
});

it('keeps rows that lie behind the new page', () => {
  const before = pages([row('d', 40), row('c', 30)], [row('b', 20), row('a', 10)]);
  expect(ids(withHead(before, [row('e', 50), row('d', 40)]))).toEqual(['edc', 'ba']);
});

it('keeps runs of the same instant apart by id', () => {
  const before = pages([row('b', 10), row('a', 10)]);
  expect(ids(withHead(before, [row('c', 10), row('b', 10)]))).toEqual(['cba']);
});
