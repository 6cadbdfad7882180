import { expect, it } from 'vitest';
import { costAt, runCostText } from './run-cost.ts';

it('adds the price of the time since the cost was known', () => {
  const known = { cost: 10, at: 0 };
  expect(costAt(known, 36, 1000)).toBeCloseTo(10.01);
  expect(costAt(known, 0, 1_000_000)).toBe(10);
});

it('does not fall when the clock of the browser is set back', () => {
  expect(costAt({ cost: 10, at: 5000 }, 36, 0)).toBe(10);
});

it.each([
  [{ price: 2, cost: 0 }, '$0'],
  [{ price: 2, cost: 3 }, '$3.00'],
  [{ price: 0, cost: 0 }, 'unknown'],
  [{ price: 0, cost: 3 }, '$3.00 + unknown'],
])('of %j is %s: no cost is $0 since its price is not known', (row, text) => {
  expect(runCostText(row)).toBe(text);
});
