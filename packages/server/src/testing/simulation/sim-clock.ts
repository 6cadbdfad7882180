import { AsyncLocalStorage } from 'node:async_hooks';

/** µs; 2026-01-01T00:00:00Z. */
const START = 1_767_225_600_000_000;

interface Timer {
  readonly id: number;
  at: number;
  readonly callback: () => void;
  /** The process that has set it; null = something outside of all. */
  readonly owner: object | null;
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
  readonly #owners = new AsyncLocalStorage<object | null>();
  /** Processes that are stopped, and what has arrived for them since. */
  readonly #stopped = new Map<object, (() => void)[]>();
  #lastContinued = Number.NEGATIVE_INFINITY;

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
    return this.#next()?.at ?? null;
  }

  /** Runs `run`; timers that it begins belong to the process `owner` (null: to none) and stop with it. */
  as<T>(owner: object | null, run: () => T): T {
    return this.#owners.run(owner, run);
  }

  /** The process whose work is under way; null = none. */
  get owner(): object | null {
    return this.#owners.getStore() ?? null;
  }

  /** The process does nothing until it is continued: its timers wait, and so does what arrives. */
  stop(owner: object): void {
    if (!this.#stopped.has(owner)) this.#stopped.set(owner, []);
  }

  continue(owner: object): void {
    const arrived = this.#stopped.get(owner);
    if (!arrived) return;
    this.#stopped.delete(owner);
    this.#lastContinued = this.#now;
    for (const callback of arrived) this.as(owner, callback);
  }

  isStopped(owner: object): boolean {
    return this.#stopped.has(owner);
  }

  /** When a process was last continued (µs). */
  get lastContinued(): number {
    return this.#lastContinued;
  }

  /** For what belongs to no process: the world outside of all servers. */
  get outside(): Pick<SimClock, 'now' | 'start' | 'delay' | 'after'> {
    const clock = this;
    return {
      get now() {
        return clock.now;
      },
      start: START,
      delay: (us) => clock.as(null, () => clock.delay(us)),
      after: (us, callback) => clock.as(null, () => clock.after(us, callback)),
    };
  }

  /** Something arrives at a process. */
  deliver(owner: object, callback: () => void): void {
    const waiting = this.#stopped.get(owner);
    if (waiting) waiting.push(callback);
    else this.as(owner, callback);
  }

  /** Resolves at once unless the process is stopped. */
  async running(owner: object): Promise<void> {
    if (!this.#stopped.has(owner)) return;
    await new Promise<void>((resolve) => this.#stopped.get(owner)?.push(resolve));
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
    this.as(timer.owner, timer.callback);
    await settled();
    return true;
  }

  #next(): Timer | null {
    let next: Timer | null = null;
    for (const timer of this.#timers.values()) {
      if (timer.owner !== null && this.#stopped.has(timer.owner)) continue;
      if (next === null || timer.at < next.at) next = timer;
    }
    return next;
  }

  #add(callback: () => void, us: number, every: number | null): Timer {
    const id = ++this.#ids;
    const owner = this.#owners.getStore() ?? null;
    const at = this.#now + Math.max(0, Math.round(us));
    const timer = { id, at, callback, every, owner };
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
