import { useSyncExternalStore } from 'react';

/**
 * One timer for everything on the page that ticks. It stands still while nothing ticks and while the
 * tab is hidden.
 */
class Clock {
  readonly #listeners = new Set<() => void>();
  #timer: ReturnType<typeof setInterval> | null = null;
  #now = Date.now();

  constructor() {
    globalThis.document?.addEventListener('visibilitychange', () => {
      if (document.visibilityState === 'visible') this.#tick();
      this.#arm();
    });
  }

  /** Milliseconds since 1970; constant between two ticks, as renderings require. */
  get now(): number {
    if (this.#timer === null) this.#now = Date.now();
    return this.#now;
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    this.#arm();
    return () => {
      this.#listeners.delete(listener);
      this.#arm();
    };
  };

  #arm(): void {
    const needed = this.#listeners.size > 0 && document.visibilityState === 'visible';
    if (needed && this.#timer === null) {
      this.#now = Date.now();
      this.#timer = setInterval(() => this.#tick(), 1000);
    } else if (!needed && this.#timer !== null) {
      clearInterval(this.#timer);
      this.#timer = null;
    }
  }

  #tick(): void {
    this.#now = Date.now();
    for (const listener of this.#listeners) listener();
  }
}

const clock = new Clock();

/**
 * A value computed from the present time (ms). The component renders again only when the value has
 * changed, so it must be a text or a number.
 */
export function useTicking<T extends string | number | boolean | null>(
  compute: (now: number) => T,
): T {
  return useSyncExternalStore(clock.subscribe, () => compute(clock.now));
}
