import type { PricedInterval } from '@dstack/core';
import { expect, it, vi } from 'vitest';
import { LedgerSums, MICROS_OF_DAY } from './sums.ts';

/** A machine that is a year old. */
const machine: PricedInterval = {
  ...{ subjectId: 'i', run: null, projectId: 'p', fleetId: 'f', fleetName: 'fleet' },
  ...{ instanceId: 'i', price: 1_234_567, blocks: 1, totalBlocks: 1, gpus: 1, gpu: 'H100' },
  ...{ since: 20_000 * MICROS_OF_DAY + 5, until: 20_365 * MICROS_OF_DAY + 7 },
};

function summed(by: 'day' | 'fleet') {
  const sums = new LedgerSums({ by, tag: null, projectIds: null });
  const add = vi.spyOn(sums, 'add');
  sums.addInterval(machine, null, { since: 20_001 * MICROS_OF_DAY, until: 20_365 * MICROS_OF_DAY });
  return { idle: sums.idle, groups: sums.sums.size, additions: add.mock.calls.length };
}

it('a machine that is a year old is added once, and for each day only where days are asked for', () => {
  const [byFleet, byDay] = [summed('fleet'), summed('day')];
  expect([byFleet.additions, byFleet.groups]).toEqual([1, 1]);
  expect([byDay.additions, byDay.groups]).toEqual([364, 364]);
  expect(byFleet.idle).toEqual(byDay.idle);
  expect(byFleet.idle.ms).toBe((364 * MICROS_OF_DAY) / 1000);
});
