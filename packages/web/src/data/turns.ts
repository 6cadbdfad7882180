/** A call that waits for its turn. An aborted one that has not begun is left out. */
export type InTurn = <T>(call: () => Promise<T>, signal: AbortSignal) => Promise<T>;

/** Makes calls in their order, `most` of them at a time: a list has many rows, a browser few connections. */
export function turns(most: number): InTurn {
  const waiting: (() => void)[] = [];
  let running = 0;
  const next = (): void => {
    while (running < most) {
      const begin = waiting.shift();
      if (begin === undefined) return;
      begin();
    }
  };
  return (call, signal) =>
    new Promise((resolve, reject) => {
      waiting.push(() => {
        if (signal.aborted) {
          reject(signal.reason);
          return;
        }
        running += 1;
        // One that throws at once gives its place back too.
        void (async () => await call())()
          .then(resolve, reject)
          .finally(() => {
            running -= 1;
            next();
          });
      });
      next();
    });
}
