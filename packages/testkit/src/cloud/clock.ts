import { setTimeout as delay } from 'node:timers/promises';

/** The one clock of an account. Times in µs. */
export interface CloudClock {
  readonly now: number;
  delay(us: number): Promise<void>;
}

/** Runs `speed` times as fast as that of this computer. */
export function runningClock(speed = 1): CloudClock {
  const started = { wall: Date.now(), steady: performance.now() };
  return {
    get now() {
      return Math.round((started.wall + (performance.now() - started.steady) * speed) * 1000);
    },
    delay: async (us) => void (await delay(us / 1000 / speed, undefined, { ref: false })),
  };
}

export interface ManualClock extends CloudClock {
  advance(seconds: number): void;
}

/** Stands still until a test advances it; delays end at once when their time has been reached. */
export function manualClock(startUs = 1_700_000_000_000_000): ManualClock {
  let now = startUs;
  let waiting: { readonly at: number; readonly end: () => void }[] = [];
  return {
    get now() {
      return now;
    },
    delay: (us) =>
      us <= 0 ? Promise.resolve() : new Promise((end) => void waiting.push({ at: now + us, end })),
    advance(seconds) {
      now += Math.round(seconds * 1_000_000);
      const due = waiting.filter(({ at }) => at <= now);
      waiting = waiting.filter(({ at }) => at > now);
      for (const { end } of due) end();
    },
  };
}

export const SECOND_US = 1_000_000;
