import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { withTimeout } from './with-timeout.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const forever = () => new Promise<never>(() => {});
const late = () => {
  throw new Error('late');
};

test('work that is done in time returns its result, and no timer is left', async () => {
  expect(await withTimeout(async () => 7, { ms: 1000, onTimeout: late })).toBe(7);
  expect(vi.getTimerCount()).toBe(0);
});

test('an error of the work is the error of the wait, thrown at once or later', async () => {
  const options = { ms: 1000, onTimeout: () => null };
  const failing = async () => Promise.reject(new Error('refused'));
  await expect(withTimeout(failing, options)).rejects.toThrow('refused');
  await expect(withTimeout(late, options)).rejects.toThrow('late');
  expect(vi.getTimerCount()).toBe(0);
});

test('late work is replaced by the result of `onTimeout`, or by its error', async () => {
  const answered = withTimeout(forever, { ms: 1000, onTimeout: () => null });
  const thrown = expect(withTimeout(forever, { ms: 1000, onTimeout: late })).rejects.toThrow(
    'late',
  );
  vi.advanceTimersByTime(1000);
  expect(await answered).toBeNull();
  await thrown;
});

test('late work receives an abort signal, and the error which that causes is ignored', async () => {
  const work = (abandoned: AbortSignal) =>
    new Promise<never>((_, reject) => {
      abandoned.addEventListener('abort', () => reject(abandoned.reason));
    });
  const waiting = withTimeout(work, { ms: 1000, onTimeout: () => 'late' });
  vi.advanceTimersByTime(1000);
  expect(await waiting).toBe('late');
});

test('work that is done receives no abort signal', async () => {
  let signal: AbortSignal | null = null;
  const work = async (abandoned: AbortSignal) => {
    signal = abandoned;
  };
  await withTimeout(work, { ms: 1000, onTimeout: late });
  expect(signal).toHaveProperty('aborted', false);
});

test('an abort ends the wait with its reason, stops the work and leaves no timer', async () => {
  const cancel = new AbortController();
  let isStopped = false;
  const work = (abandoned: AbortSignal) => {
    abandoned.addEventListener('abort', () => {
      isStopped = true;
    });
    return forever();
  };
  const waiting = withTimeout(work, { ms: 1000, onTimeout: late, signal: cancel.signal });
  cancel.abort(new Error('cancelled'));
  await expect(waiting).rejects.toThrow('cancelled');
  expect(isStopped).toBe(true);
  expect(vi.getTimerCount()).toBe(0);
});

test('work is not started if its signal is already aborted', async () => {
  const work = vi.fn(forever);
  const signal = AbortSignal.abort(new Error('cancelled'));
  const waiting = withTimeout(work, { ms: 1000, onTimeout: late, signal });
  await expect(waiting).rejects.toThrow('cancelled');
  expect(work).not.toHaveBeenCalled();
});
