/** A limit has so many parts, each of which takes one turn of this process. */
const PARTS = 10;

export interface RunningTimeoutOptions {
  readonly ms: number;
  /** Throws why the wait is over. */
  readonly onTimeout: () => never;
}

/**
 * Waits for work, but no longer than `ms` of the time in which this process runs: a pause of it, however long, counts as a
 * tenth of that, so that an answer which came meanwhile is read.
 */
export async function withRunningTimeout<T>(
  work: () => PromiseLike<T>,
  { ms, onTimeout }: RunningTimeoutOptions,
): Promise<T> {
  const late = Promise.withResolvers<never>();
  let parts = 0;
  const timer = setInterval(() => {
    parts += 1;
    if (parts < PARTS) return;
    clearInterval(timer);
    try {
      onTimeout();
    } catch (error) {
      late.reject(error);
    }
  }, ms / PARTS);
  try {
    return await Promise.race([late.promise, work()]);
  } finally {
    clearInterval(timer);
  }
}
