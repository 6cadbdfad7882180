/** Time as adapters need it: tests let it pass at once. */
export interface CallPace {
  /** Milliseconds that no step of the clock moves. */
  now(): number;
  /** Rejects with the reason of the signal if it is aborted first. */
  delay(ms: number, signal?: AbortSignal): Promise<void>;
}

export const REAL_PACE: CallPace = {
  now: () => performance.now(),
  delay: (ms, signal) =>
    new Promise((resolve, reject) => {
      const end = () => {
        clearTimeout(timer);
        reject(signal?.reason);
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', end);
        resolve();
      }, ms).unref();
      if (signal?.aborted) end();
      else signal?.addEventListener('abort', end, { once: true });
    }),
};
