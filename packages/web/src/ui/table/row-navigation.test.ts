import { expect, it } from 'vitest';
import { nextIndex } from './row-navigation.ts';

it.each([
  ['j', 3, 4],
  ['ArrowDown', 9, 9],
  ['k', 0, 0],
  ['Home', 5, 0],
  ['End', 5, 9],
])('%s in row %i of ten moves to row %i', (key, from, to) => {
  expect(nextIndex(key, from, 10)).toBe(to);
});

it('does not move by other keys, or from outside of the rows', () => {
  expect(nextIndex('x', 3, 10)).toBeNull();
  expect(nextIndex('j', -1, 10)).toBeNull();
});
