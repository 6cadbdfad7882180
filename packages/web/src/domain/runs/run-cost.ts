import { costText } from '@dstack/contract/cost-text';
import type { RunRow } from '../../data/runs/run-row.ts';
import { money } from '../format/quantities.ts';

const HOUR_MS = 3_600_000;

/** USD at a time (ms), from what was known at an earlier one and USD per hour. */
export function costAt(
  known: { readonly cost: number; readonly at: number },
  price: number,
  now: number,
): number {
  return known.cost + (price * Math.max(0, now - known.at)) / HOUR_MS;
}

/** `cost`: another one than that of the row. Price 0 means that no price of the instances is known. */
export function runCostText({ price, ...row }: Pick<RunRow, 'price' | 'cost'>, cost = row.cost) {
  return costText(cost, price === 0, money);
}
