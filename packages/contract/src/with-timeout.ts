export interface TimeoutOptions<Late> {
  readonly ms: number;
  /** Answers in place of work that is late; throws where being late is an error. */
  readonly onTimeout: () => Late;
  /** Ends the wait early, which then rejects with the reason of the abort. */
  readonly signal?: AbortSignal;
}

/**
 * Waits for work, but no longer than `ms`. Work gets a signal that aborts once nobody waits for it any
 * more; its result after that is ignored. The timer ends with the wait, so it keeps no process alive
 * afterwards.
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
