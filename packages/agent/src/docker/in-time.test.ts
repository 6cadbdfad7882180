import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { EngineHung } from './host-caused.ts';
import { inTime } from './in-time.ts';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

const AWAITED = 'an answer of the Docker daemon (startContainer), for at most 300 seconds';

it('reports an answer of the engine that takes long, and that it has come', async () => {
  const reports: unknown[] = [];
  const answer = Promise.withResolvers<string>();
  const waiting = inTime('startContainer', () => answer.promise, {
    onSlow: (one) => reports.push(one),
  });
  await vi.advanceTimersByTimeAsync(19_000);
  expect(reports).toEqual([]);
  await vi.advanceTimersByTimeAsync(2000);
  expect(reports).toEqual([AWAITED]);
  answer.resolve('started');
  await expect(waiting).resolves.toBe('started');
  expect(reports).toEqual([AWAITED, null]);
});

it('reports nothing of an answer that comes soon', async () => {
  const onSlow = vi.fn();
  await inTime('startContainer', async () => {}, { onSlow });
  await vi.advanceTimersByTimeAsync(60_000);
  expect(onSlow).not.toHaveBeenCalled();
});

it.each([
  ['before', 5000],
  ['after', 60_000],
])('ends the wait for a slow engine when the job is stopped %s it was slow', async (_, ms) => {
  const stop = new AbortController();
  const waiting = inTime('startContainer', () => new Promise(() => {}), { signal: stop.signal });
  const failing = expect(waiting).rejects.toThrow('stopped');
  await vi.advanceTimersByTimeAsync(ms);
  stop.abort(new Error('stopped'));
  await vi.advanceTimersByTimeAsync(20_000);
  await failing;
});

it('waits for an answer that comes soon although the job is stopped', async () => {
  const stop = new AbortController();
  const answer = Promise.withResolvers<string>();
  const waiting = inTime('startContainer', () => answer.promise, { signal: stop.signal });
  stop.abort(new Error('stopped'));
  await vi.advanceTimersByTimeAsync(1000);
  answer.resolve('started');
  await expect(waiting).resolves.toBe('started');
});

it('ends the wait for an engine that hangs', async () => {
  const waiting = inTime('startContainer', () => new Promise(() => {}));
  const failing = expect(waiting).rejects.toThrow(EngineHung);
  await vi.advanceTimersByTimeAsync(300_000);
  await failing;
});
