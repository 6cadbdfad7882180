/**
 * On whose behalf the database is used. It follows the work through awaits, timers and listeners.
 */
import { AsyncLocalStorage } from 'node:async_hooks';

const callers = new AsyncLocalStorage<'background' | Request>();

/** Runs work for which no caller waits: all others use the database before it. */
export function inBackground<T>(work: () => T): T {
  return callers.run('background', work);
}

export function isInBackground(): boolean {
  return callers.getStore() === 'background';
}

/**
 * Runs a request that uses the database many times before its answer: each use goes on at once, and only
 * `settled`, which the work calls before it answers, waits until all that was read and written is on the disk.
 * It rejects with the error of the disk. From then on each use waits by itself again.
 */
export function inRequest<T>(work: (settled: () => Promise<void>) => Promise<T>): Promise<T> {
  const request = new Request();
  return callers.run(request, () => work(() => request.settled()));
}

/** Waits until all commits are on the disk, at once or before the answer of the request. */
export async function beforeAnswer(settled: () => Promise<void>): Promise<void> {
  const caller = callers.getStore();
  if (caller instanceof Request && caller.defers(settled)) return;
  await settled();
}

class Request {
  #isAnswered = false;
  #waits: (() => Promise<void>) | null = null;

  /** False: it has been answered. `settled` covers all commits up to its call. */
  defers(settled: () => Promise<void>): boolean {
    if (!this.#isAnswered) this.#waits = settled;
    return !this.#isAnswered;
  }

  async settled(): Promise<void> {
    this.#isAnswered = true;
    await this.#waits?.();
  }
}
