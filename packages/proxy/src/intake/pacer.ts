/**
 * Resolves in a round of the event loop that no other caller gets, in the order of the calls; data
 * that arrived on sockets has then been processed. Nothing is locked: a caller that then waits for
 * a database or a backend does not keep others from starting.
 */
export function pacer(): () => Promise<void> {
  const waiting: (() => void)[] = [];
  const next = () => {
    waiting.shift()?.();
    if (waiting.length > 0) setImmediate(next);
  };
  return () =>
    new Promise((resolve) => {
      if (waiting.push(resolve) === 1) setImmediate(next);
    });
}
