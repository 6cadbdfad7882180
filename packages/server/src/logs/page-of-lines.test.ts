import { expect, it } from 'vitest';
import { pageOfLines } from './page-of-lines.ts';

const lines = [1, 2, 3, 4, 5].map((time) => ({ time, text: String(time) }));
const all = { startTime: null, endTime: null, descending: false, nextToken: null, limit: 100 };

const page = (query: Partial<Parameters<typeof pageOfLines>[1]>) => {
  const { events, nextToken } = pageOfLines(lines, { ...all, ...query });
  return [events.map(({ text }) => text).join(''), nextToken];
};

it.each([
  [{}, ['12345', null]],
  [{ limit: 2 }, ['12', '2']],
  [{ limit: 2, nextToken: '2' }, ['34', '4']],
  [{ limit: 2, nextToken: '4' }, ['5', null]],
  [{ limit: 0 }, ['', null]],
  [{ nextToken: '99' }, ['', null]],
  [{ startTime: 2 }, ['345', null]],
  [{ startTime: 1, endTime: 4 }, ['23', null]],
  [{ startTime: 1, endTime: 4, limit: 1 }, ['2', '2']],
  [{ descending: true, limit: 2 }, ['54', '3']],
  [{ descending: true, limit: 2, nextToken: '3' }, ['32', '1']],
  [{ descending: true, startTime: 1, endTime: 4, limit: 9 }, ['432', null]],
  [{ descending: true, nextToken: '0' }, ['', null]],
])('a page of lines for %j', (query, expected) => {
  expect(page(query)).toEqual(expected);
});

it('refuses a token that is not a number', () => {
  expect(() => page({ nextToken: 'abc' })).toThrow('Must be a non-negative integer');
});
