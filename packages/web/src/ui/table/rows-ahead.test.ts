import { expect, it } from 'vitest';
import { rowsAhead } from './rows-ahead.ts';

it('loads a page only when its end comes near, and up to three of them ahead of readers who go far', () => {
  expect([0, 30, 99, 400, 1200, 9000].map(rowsAhead)).toEqual([30, 30, 30, 100, 300, 300]);
});
