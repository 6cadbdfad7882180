import { afterEach, expect, it, vi } from 'vitest';
import { SpoolFeed } from './spool-feed.ts';

/** A disk that accepts nothing while it is full. */
function disk() {
  const written: string[] = [];
  let pending: string | null = null;
  const state = { full: true };
  const put = (text: string): boolean => {
    pending = state.full ? text : null;
    if (!state.full) written.push(text);
    return !state.full;
  };
  const writer = {
    append: (piece: Buffer) => put(piece.toString()),
    retry: () => pending === null || put(pending),
    skip: () => {
      pending = null;
      written.push('(hole)');
    },
  };
  return { state, writer, written };
}

it('drops output once it has waited long enough, and continues when there is space', async () => {
  const { state, writer, written } = disk();
  const source = { pauses: 0, resumes: 0, pause: () => {}, resume: () => {} };
  source.pause = () => void source.pauses++;
  source.resume = () => void source.resumes++;
  const feed = new SpoolFeed({ writer, source: () => source, patienceMs: 0, retryMs: 1 });
  feed.push(Buffer.from('one'), 1);
  feed.push(Buffer.from('two'), 2);
  expect(feed.isWaiting).toBe(true);
  await feed.settled();
  feed.push(Buffer.from('three'), 3);
  expect(feed.isWaiting).toBe(false);
  state.full = false;
  feed.push(Buffer.from('four'), 4);
  expect(written).toEqual(['(hole)', '(hole)', '(hole)', 'four']);
  expect(source).toMatchObject({ pauses: 1, resumes: 1 });
  state.full = true;
  feed.push(Buffer.from('five'), 5);
  expect(feed.isWaiting).toBe(true);
  state.full = false;
  await feed.settled();
  expect(written.slice(-2)).toEqual(['four', 'five']);
});

afterEach(() => vi.useRealTimers());

it('waits less for the rest of a job that is over', async () => {
  vi.useFakeTimers();
  const { writer, written } = disk();
  const feed = new SpoolFeed({ writer, source: () => null });
  feed.push(Buffer.from('last line'), 1);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(feed.isWaiting).toBe(true);
  feed.hurry();
  await vi.advanceTimersByTimeAsync(29_000);
  expect(feed.isWaiting).toBe(true);
  await vi.advanceTimersByTimeAsync(2000);
  expect(feed.isWaiting).toBe(false);
  expect(written).toEqual(['(hole)']);
});
