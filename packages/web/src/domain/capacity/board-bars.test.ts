import type { BoardJob, QueuedRun } from '@dstack/contract/wire';
import { expect, it } from 'vitest';
import {
  type BoardBar,
  barSubject,
  barTimes,
  jobBars,
  laned,
  queueBars,
  triedBars,
} from './board-bars.ts';

const AT = '2026-12-01T08:00:00.000Z';
const NOW = Date.parse(AT);
const MINUTE = 60_000;

const job: BoardJob = {
  ...{ instance_id: 'i1', run_id: 'r1', run_name: 'train', project_name: 'lab', user_name: 'ann' },
  ...{ job_name: 'train-0-0', blocks: 2, since: AT, until: null, leaves_at: null },
};
const hidden: BoardJob = {
  ...{ ...job, run_id: null, run_name: 'a run of another project', project_name: null },
  ...{ user_name: null, job_name: null },
};
const queued: QueuedRun = {
  ...{ place: 1, run_id: 'r2', run: 'next', replica: null, project: 'lab', user: 'ben' },
  ...{ nodes: 1, priority: 0, submitted_at: AT, since: AT, expected_start: AT },
  ...{ is_about: false, is_reserved: true, places: [], max_duration: null, why: null },
};
const bar = (from: number, to: number | null, blocks = 1, more: Partial<BoardBar> = {}) =>
  ({
    ...{ key: `${from}`, kind: 'expected', name: 'x', run: null, project: null, user: null },
    ...{ blocks, from, to, ...more },
  }) as BoardBar;

it('a job that has to leave ends then, and a run of others has no page', () => {
  const leaves_at = '2026-12-01T08:05:00.000Z';
  const [leaving, other] = jobBars([{ ...job, leaves_at }, hidden], NOW);
  expect(leaving).toMatchObject({ kind: 'leaving', to: NOW + 5 * MINUTE, run: { run: 'train' } });
  expect(other).toMatchObject({ kind: 'running', run: null, name: 'A run of another project' });
});

it('a waiting run is on each instance where it is expected, if its start is known', () => {
  const places = [
    { instance_id: 'i1', blocks: 2 },
    { instance_id: 'i2', blocks: 1 },
  ];
  const rest = { kept_back: [], kept_back_total: 0, total: 2 };
  const bars = queueBars({
    ...rest,
    runs: [
      { ...queued, places, max_duration: 60 },
      { ...queued, place: 2, places, expected_start: null },
      { ...queued, place: 3, places: [{ instance_id: 'i2', blocks: 4 }], is_about: true },
    ],
  });
  expect(bars.get('i1')).toMatchObject([{ kind: 'reserved', blocks: 2, to: NOW + MINUTE }]);
  expect(bars.get('i2')).toMatchObject([{ kind: 'reserved' }, { kind: 'expected', to: null }]);
});

it('a configuration would start where and when its plan has it', () => {
  const places = [
    { instance_id: 'i1', blocks: 1 },
    { instance_id: 'i1', blocks: 1 },
  ];
  const job_plans = [{ job_spec: { max_duration: 60 } }];
  const bars = triedBars({ places, expected_start: null, job_plans }, 'mine', NOW);
  const to = NOW + MINUTE;
  expect(bars.get('i1')).toMatchObject([{ kind: 'tried', from: NOW, to }, { from: NOW }]);
  expect(triedBars({ expected_start: AT, job_plans: [] }, 'mine', NOW).size).toBe(0);
});

it.each([
  ['side by side while they overlap', [bar(0, 10, 2), bar(5, 15, 2)], [0, 2]],
  ['on the same blocks one after the other', [bar(0, 10, 4), bar(10, 20, 4)], [0, 0]],
  ['on what is free between others', [bar(0, 30), bar(1, 5), bar(2, 30), bar(6, 9)], [0, 1, 2, 1]],
  ['over others where nothing is free', [bar(0, 10, 3), bar(1, 10, 2)], [0, 0]],
])('bars lie %s', (_, bars, lanes) => {
  expect(laned(bars, 4).map(({ lane }) => lane)).toEqual(lanes);
});

it('what begins later is drawn where a job without a known end is now', () => {
  const now = bar(0, null, 4, { kind: 'running' });
  expect(laned([now, bar(10, null, 4)], 4).map(({ lane }) => lane)).toEqual([0, 0]);
  const beside = bar(1, null, 2, { kind: 'leaving' });
  expect(laned([{ ...now, blocks: 2 }, beside], 4).map(({ lane }) => lane)).toEqual([0, 2]);
});

it('runs that wait are drawn beside each other where blocks are left, without a known end too', () => {
  const ending = bar(0, 10, 4, { kind: 'running' });
  const waiting = [bar(10, null, 2, { kind: 'reserved' }), bar(11, null, 2)];
  expect(laned([ending, ...waiting], 4).map(({ lane }) => lane)).toEqual([0, 0, 2]);
});

it('is described in words', () => {
  const [train] = jobBars([job], NOW);
  if (train === undefined) throw new Error('no bar');
  expect(barSubject(train, 8)).toBe('train: 2 of 8 blocks, ann in lab');
  expect(barSubject(train, 1)).toBe('train, ann in lab');
  const text = (time: number) => `at ${(time - NOW) / MINUTE}`;
  expect(barTimes(train, text)).toBe('since at 0, without a known end');
  expect(barTimes({ ...train, to: NOW + MINUTE }, text)).toBe(
    'since at 0, ends at 1 at the latest',
  );
  expect(barTimes({ ...train, kind: 'reserved' }, text)).toBe('reserved, starts at 0');
});
