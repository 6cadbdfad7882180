import type { LedgerRow } from '@dstack/store';
import { expect, it } from 'vitest';
import { costRows, dollarsOf } from './cost-rows.ts';

const HOUR = 3_600_000;
const amounts = (hours: number, dollars: number, unpriced = 0) => ({
  ...{ ms: hours * HOUR, gpuMs: 8 * hours * HOUR },
  ...{ cost: dollars * 1_000_000, unpricedMs: unpriced * HOUR },
});
const NOTHING = amounts(0, 0);

const row = (part: Partial<LedgerRow>): LedgerRow => ({
  ...{ runName: null, projectName: null, userName: null, fleetName: null },
  ...{ gpu: null, tag: null, day: null, used: NOTHING, idle: NOTHING, ...part },
});

it('the highest cost comes first, idle machines included, whatever the order of the rows', () => {
  const rows = [
    row({ fleetName: 'c', used: amounts(1, 2) }),
    row({ fleetName: 'b', used: amounts(1, 2) }),
    row({ fleetName: 'a', idle: amounts(1, 9) }),
  ];
  const inOrder = costRows(rows, 'fleet');
  expect(inOrder.map(({ fleet_name }) => fleet_name)).toEqual(['a', 'b', 'c']);
  expect(costRows(rows.toReversed(), 'fleet')).toEqual(inOrder);
  expect(inOrder[0]).toMatchObject({ cost: 0, idle_cost: 9, idle_gpu_hours: 8 });
});

it('days are in their order', () => {
  const rows = [
    row({ day: 20_782, used: amounts(1, 1) }),
    row({ day: 20_781, used: amounts(1, 5) }),
  ];
  expect(costRows(rows, 'day').map(({ day, cost }) => [day, cost])).toEqual([
    ['2026-11-24', 5],
    ['2026-11-25', 1],
  ]);
});

it('an unknown price is no cost, and the part that is known is one', () => {
  const rows = [
    row({ runName: 'ssh', used: amounts(2, 0, 2) }),
    row({ runName: 'both', used: amounts(3, 5, 1) }),
    row({ runName: 'none', used: NOTHING }),
  ];
  expect(costRows(rows, 'run')).toMatchObject([
    { run_name: 'both', cost: 5, hours: 3, unpriced_hours: 1 },
    { run_name: 'ssh', cost: null, hours: 2, gpu_hours: 16, unpriced_hours: 2 },
  ]);
  expect(costRows(rows, 'run')).toHaveLength(2);
});

it('dollars have four decimals, and no negative zero', () => {
  expect(dollarsOf(1_234_567)).toBe(1.2346);
  expect(Object.is(dollarsOf(-3), 0)).toBe(true);
});
