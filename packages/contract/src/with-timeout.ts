export interface TimeoutOptions<Late> {
  readonly ms: number;
  /** Returns the result in place of late work; throws if lateness is an error. */
  readonly onTimeout: () => Late;
  /** Ends the wait early: it rejects with the reason of the abort. */
  readonly signal?: AbortSignal;
}

/**
 * Waits for work, but no longer than `ms`. The work receives a signal that is aborted once the wait
 * is over; a later result is ignored. The timer ends with the wait, so it does not keep the process
 * alive.
 */
export async function withTimeout<T, Late = never>(
  work: (abandoned: AbortSignal) => PromiseLike<T>,
  { ms, onTimeout, signal }: TimeoutOptions<Late>,
): Promise<T | Late> {
  signal?.throwIfAborted();
  const abandoned = new AbortController();
  const early = Promise.withResolvers<Late>();
  // The wait is settled before the abort, so that an error which the abort causes in the work is late.
  const giveUp = () => {
    try {
      early.resolve(onTimeout());
    } catch (error) {
      early.reject(error);
    }
    abandoned.abort();
  };
  const onAbort = () => {
    early.reject(signal?.reason);
    abandoned.abort();
  };
  const timer = setTimeout(giveUp, ms);
  signal?.addEventListener('abort', onAbort);
  try {
    return await Promise.race([early.promise, work(abandoned.signal)]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  }
}
