import type { Signal } from '@dstack/core';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { LogQuota } from './log-quota.ts';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

it('signals the run of a job that printed too much, although the database fails at first', async () => {
  const signals: Signal[] = [];
  let broken = true;
  const byId = async () => {
    if (broken) throw new Error('the database does not answer');
    return { run: { id: 'run' } };
  };
  const store = { jobs: { byId }, engine: { signal: async (s: Signal[]) => signals.push(...s) } };
  const quota = new LogQuota(store as never, pino({ level: 'silent' }));
  quota.breached('job', { bytes: 11, limit: 10 });
  await vi.advanceTimersByTimeAsync(0);
  expect(signals).toEqual([]);
  expect([...quota.breaches]).toEqual([['job', expect.stringContaining('10 bytes')]]);
  broken = false;
  await vi.advanceTimersByTimeAsync(1000);
  expect(signals).toEqual([{ kind: 'run', id: 'run' }]);
});
