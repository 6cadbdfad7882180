import { expect, it } from 'vitest';
import type { CostRow } from './cost.ts';
import { costText, totalCostText } from './cost-text.ts';

const dollars = (amount: number) => `$${amount}`;

it.each([
  [null, false, 'unknown'],
  [0, true, 'unknown'],
  [0, false, '$0'],
  [5, true, '$5 + unknown'],
  [5, false, '$5'],
])('a cost of %j, partly unknown: %j, is %s', (cost, isPartial, text) => {
  expect(costText(cost, isPartial, dollars)).toBe(text);
});

it.each<[string, number, readonly object[]]>([
  ['$0', 0, []],
  ['unknown', 0, [{ cost: null }, { cost: 0, unpriced_hours: 0 }]],
  ['$7 + unknown', 7, [{ cost: 7, unpriced_hours: 0 }, { cost: null }]],
  ['$7 + unknown', 7, [{ cost: 7, unpriced_hours: 2 }]],
  ['$7', 7, [{ cost: 7 }, { cost: 0, unpriced_hours: 0 }]],
])('the total is %s', (text, total, rows) => {
  expect(totalCostText({ total, rows: rows as CostRow[] }, dollars)).toBe(text);
});
