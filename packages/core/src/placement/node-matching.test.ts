import { expect, it } from 'vitest';
import { matchNodes } from './node-matching.ts';

it('seats nodes that are alike in the order of their seats', () => {
  const seats = ['a', 'b', 'c'];
  expect(matchNodes([seats, seats, seats])).toEqual(['a', 'b', 'c']);
});

it('moves a node for one that has no other seat', () => {
  expect(matchNodes([['a', 'b'], ['a']])).toEqual(['b', 'a']);
  expect(
    matchNodes([['a', 'b'], ['b', 'c'], ['a'], ['c']]).filter((seat) => seat === null),
  ).toEqual([null]);
});
