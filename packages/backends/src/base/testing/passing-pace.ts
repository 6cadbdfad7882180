import type { CallPace } from '../rest-vm/pace.ts';

/** Delays end at once, and the clock of the provider advances by them. */
export function passingPace(clock: {
  readonly now: number;
  advance(seconds: number): void;
}): CallPace {
  return {
    now: () => clock.now / 1000,
    delay: async (ms, signal) => {
      // Let the work that others have begun go on first.
      await new Promise((resolve) => setImmediate(resolve));
      signal?.throwIfAborted();
      clock.advance(ms / 1000);
    },
  };
}
