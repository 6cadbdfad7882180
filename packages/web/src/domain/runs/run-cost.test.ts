import { expect, it } from 'vitest';
import { costAt } from './run-cost.ts';

it('adds the price of the time since the cost was known', () => {
  const known = { cost: 10, at: 0 };
  expect(costAt(known, 36, 1000)).toBeCloseTo(10.01);
  expect(costAt(known, 0, 1_000_000)).toBe(10);
});

it('does not fall when the clock of the browser is set back', () => {
  expect(costAt({ cost: 10, at: 5000 }, 36, 0)).toBe(10);
});
