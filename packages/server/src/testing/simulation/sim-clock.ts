/** µs; 2026-01-01T00:00:00Z. */
const START = 1_767_225_600_000_000;

interface Timer {
  readonly id: number;
  at: number;
  readonly callback: () => void;
  /** µs between two calls; null = once. */
  readonly every: number | null;
}

/**
 * The time of a simulation: it stands still until it is moved to the next timer. While installed,
 * it replaces the timers and clocks of Node, so that the real parts of the server run in it
 * unchanged. Between two timers everything that was begun runs as far as it can.
 */
export class SimClock {
  #now = START;
  #ids = 0;
  readonly #timers = new Map<number, Timer>();
  #uninstall: (() => void) | null = null;

  /** µs since the epoch. */
  get now(): number {
    return this.#now;
  }

  get start(): number {
    return START;
  }

  /** Resolves after this many simulated µs. */
  delay(us: number): Promise<void> {
    return new Promise((resolve) => {
      this.#add(resolve, us, null);
    });
  }

  after(us: number, callback: () => void): () => void {
    const timer = this.#add(callback, us, null);
    return () => void this.#timers.delete(timer.id);
  }

  /** When the next timer goes off; null = there is none. */
  get nextAt(): number | null {
    let next: number | null = null;
    for (const { at } of this.#timers.values()) if (next === null || at < next) next = at;
    return next;
  }

  /** Moves to the next timer, but not beyond `until`; returns false when `until` was reached. */
  async step(until: number): Promise<boolean> {
    await settled();
    const timer = this.#next();
    if (timer === null || timer.at > until) {
      this.#now = Math.max(this.#now, until);
      return false;
    }
    this.#now = Math.max(this.#now, timer.at);
    if (timer.every === null) this.#timers.delete(timer.id);
    else timer.at = this.#now + Math.round(timer.every);
    timer.callback();
    await settled();
    return true;
  }

  #next(): Timer | null {
    let next: Timer | null = null;
    for (const timer of this.#timers.values()) {
      if (next === null || timer.at < next.at) next = timer;
    }
    return next;
  }

  #add(callback: () => void, us: number, every: number | null): Timer {
    const id = ++this.#ids;
    const timer = { id, at: this.#now + Math.max(0, Math.round(us)), callback, every };
    this.#timers.set(id, timer);
    return timer;
  }

  /** Replaces Node's timers, clocks and random numbers until `uninstall`. */
  install(chance: () => number): void {
    const before = {
      setTimeout: globalThis.setTimeout,
      clearTimeout: globalThis.clearTimeout,
      setInterval: globalThis.setInterval,
      clearInterval: globalThis.clearInterval,
      dateNow: Date.now,
      performanceNow: performance.now,
      random: Math.random,
    };
    const handle = (timer: Timer) => ({
      id: timer.id,
      ref() {
        return this;
      },
      unref() {
        return this;
      },
      hasRef: () => false,
      refresh() {
        return this;
      },
      [Symbol.dispose]: () => this.#clear(timer),
    });
    const set = (callback: (...args: unknown[]) => void, ms = 0, ...args: unknown[]) =>
      handle(this.#add(() => callback(...args), ms * 1000, null));
    const repeat = (callback: (...args: unknown[]) => void, ms = 0, ...args: unknown[]) =>
      handle(this.#add(() => callback(...args), ms * 1000, Math.max(1, ms) * 1000));
    const clear = (timer: unknown) => this.#clear(timer);
    Object.assign(globalThis, {
      setTimeout: set,
      clearTimeout: clear,
      setInterval: repeat,
      clearInterval: clear,
    });
    Date.now = () => Math.floor(this.#now / 1000);
    performance.now = () => (this.#now - START) / 1000;
    Math.random = chance;
    this.#uninstall = () => {
      const { setTimeout, clearTimeout, setInterval, clearInterval } = before;
      Object.assign(globalThis, { setTimeout, clearTimeout, setInterval, clearInterval });
      Date.now = before.dateNow;
      performance.now = before.performanceNow;
      Math.random = before.random;
    };
  }

  uninstall(): void {
    this.#uninstall?.();
    this.#uninstall = null;
    this.#timers.clear();
  }

  #clear(timer: unknown): void {
    const id = (timer as { readonly id?: number } | undefined)?.id;
    if (id !== undefined) this.#timers.delete(id);
  }
}

/** Everything that only waits for promises has run as far as it can. */
const { setImmediate: later } = globalThis;
function settled(): Promise<void> {
  return new Promise((resolve) => later(resolve));
}
