import { expect, test } from 'vitest';
import { SECOND } from '../model/values.ts';
import { withPastTimes } from './past-times.ts';

const NOW = 1_800_000_000 * SECOND;
const HOUR = 3600 * SECOND;
const ctx = { now: NOW, steadySince: NOW - 60 * SECOND, newId: () => 'id', settings: {} as never };

test('a snapshot whose times are past is left as it is', () => {
  const snapshot = { run: { id: 'r', submittedAt: NOW }, jobs: [{ finishedAt: NOW + SECOND }] };
  expect(withPastTimes(snapshot, ctx)).toBe(snapshot);
});

test('what a server with a wrong clock recorded for the future has happened when time became even', () => {
  const job = { id: 'j', finishedAt: NOW + 2 * HOUR, runningAt: NOW - HOUR };
  const run = { id: 'r', submittedAt: NOW - HOUR, nextPassAt: NOW + 2 * HOUR };
  const host = { id: 'h', since: NOW + HOUR };
  const snapshot = { run, jobs: [job], host, name: 'x', none: null };
  const mended = withPastTimes(snapshot, ctx);
  expect(mended.jobs[0]).toEqual({ ...job, finishedAt: ctx.steadySince });
  expect(mended.host.since).toBe(ctx.steadySince);
  // Its own rule decides about a time that lies ahead.
  expect(mended.run).toBe(run);
});
