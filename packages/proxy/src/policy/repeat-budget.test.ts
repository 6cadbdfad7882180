import { expect, it } from 'vitest';
import { RepeatBudget } from './repeat-budget.ts';

it('allows a burst of repeats, and then one for every five requests', () => {
  const budget = new RepeatBudget(3);
  const taken = () => budget.take('run');
  expect([taken(), taken(), taken(), taken()]).toEqual([true, true, true, false]);
  let repeated = 0;
  for (let n = 0; n < 100; n++) {
    budget.begin('run');
    if (taken()) repeated += 1;
  }
  expect(repeated).toBeGreaterThanOrEqual(19);
  expect(repeated).toBeLessThanOrEqual(20);
});

it('is one of each service, and remembers those with recent repeats only', () => {
  const budget = new RepeatBudget(1);
  expect([budget.take('a'), budget.take('a'), budget.take('b')]).toEqual([true, false, true]);
  for (let n = 0; n < 5; n++) budget.begin('a');
  expect(budget.size).toBe(1);
  expect(budget.take('a')).toBe(true);
});
