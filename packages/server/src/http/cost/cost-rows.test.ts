import type { CostGroup } from '@dstack/contract/wire';
import type { PaidJob } from '@dstack/store';
import { expect, it } from 'vitest';
import { type CostPeriod, CostSums } from './cost-rows.ts';

const HOUR = 3_600_000_000;
/** Noon. */
const NOON = Date.parse('2026-11-24T12:00:00Z') * 1000;

const job = (more: Partial<PaidJob>): PaidJob => ({
  runId: 'r1',
  runName: 'train',
  projectName: 'main',
  userName: 'ann',
  price: 2,
  submittedAt: NOON,
  finishedAt: NOON + HOUR,
  ...more,
});

function costRows(jobs: readonly PaidJob[], by: CostGroup, of: CostPeriod) {
  const sums = new CostSums(by, of);
  for (const one of jobs) sums.add(one);
  return sums.rows();
}

const period = { since: NOON - 48 * HOUR, until: NOON + 48 * HOUR, now: NOON + 24 * HOUR };

it('sums up the submissions of each run, the most expensive first', () => {
  const jobs = [job({}), job({ price: 4 }), job({ runId: 'r2', runName: 'eval', price: 10 })];
  expect(costRows(jobs, 'run', period)).toMatchObject([
    { run_name: 'eval', project_name: 'main', username: 'ann', day: null, cost: 10, hours: 1 },
    { run_name: 'train', cost: 6, hours: 2 },
  ]);
});

it('divides a job among the days, and counts only the period', () => {
  const running = job({ finishedAt: null });
  expect(costRows([running], 'day', period)).toMatchObject([
    { day: '2026-11-24', cost: 24, hours: 12, run_name: null },
    { day: '2026-11-25', cost: 24, hours: 12 },
  ]);
  const short = { ...period, since: NOON + HOUR, until: NOON + 2 * HOUR };
  expect(costRows([running], 'day', short)).toMatchObject([{ day: '2026-11-24', cost: 2 }]);
  expect(costRows([job({})], 'day', short)).toEqual([]);
});

it('does not depend on the order in which jobs are read', () => {
  const names = ['c', 'a', 'b', 'd'];
  const jobs = names.map((runId) => job({ runId, runName: runId, price: runId === 'd' ? 9 : 2 }));
  const inOrder = costRows(jobs, 'run', period);
  expect(inOrder.map((row) => row.run_name)).toEqual(['d', 'a', 'b', 'c']);
  expect(costRows(jobs.toReversed(), 'run', period)).toEqual(inOrder);
});

it('sums up by user and by project', () => {
  const jobs = [job({}), job({ userName: 'bob', projectName: 'lab', price: 5 })];
  expect(costRows(jobs, 'user', period).map(({ username, cost }) => [username, cost])).toEqual([
    ['bob', 5],
    ['ann', 2],
  ]);
  expect(costRows(jobs, 'project', period).map((row) => row.project_name)).toEqual(['lab', 'main']);
});
