import fc from 'fast-check';
import { expect, it } from 'vitest';
import { generateName, numberedName } from './generate.ts';

it('names are valid whatever is picked, also with a number behind', () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (random) => {
      const name = generateName((bound) => Math.floor(random * bound));
      expect(`${name}-100`).toMatch(/^[a-z][a-z0-9-]{1,40}$/);
      expect(name).toMatch(/^[a-z]+-[a-z]+$/);
    }),
  );
});

it('runs get the lowest number that is free', () => {
  const taken = new Set(['brave-cat-1', 'brave-cat-3']);
  expect(numberedName('brave-cat', (name) => taken.has(name))).toBe('brave-cat-2');
  expect(numberedName('calm-owl', (name) => taken.has(name))).toBe('calm-owl-1');
});
