import { expect, it } from 'vitest';
import { matchNodes } from './existing-instances.ts';

it('gives nodes that are alike the slots in their order', () => {
  const slots = ['a', 'b', 'c'];
  expect(matchNodes([slots, slots, slots])).toEqual(['a', 'b', 'c']);
});

it('moves a node for one that has no other slot', () => {
  expect(matchNodes([['a', 'b'], ['a']])).toEqual(['b', 'a']);
  expect(
    matchNodes([['a', 'b'], ['b', 'c'], ['a'], ['c']]).filter((slot) => slot === null),
  ).toEqual([null]);
});
