/** The longest delay of a Node timer (2^31 - 1 ms, 24.8 days). */
const MAX_DELAY_MS = 2 ** 31 - 1;

/**
 * One exact alarm per key. Setting a key again replaces its alarm; a null instant removes it.
 * `now` and the instants are microseconds since the epoch.
 */
export class Timers {
  readonly #now: () => number;
  readonly #fire: (key: string) => void;
  readonly #alarms = new Map<string, { at: number; timer: NodeJS.Timeout }>();

  constructor(now: () => number, fire: (key: string) => void) {
    this.#now = now;
    this.#fire = fire;
  }

  set(key: string, at: number | null): void {
    const current = this.#alarms.get(key);
    if (current?.at === at) return;
    clearTimeout(current?.timer);
    this.#alarms.delete(key);
    if (at !== null) this.#arm(key, at);
  }

  has(key: string): boolean {
    return this.#alarms.has(key);
  }

  clear(): void {
    for (const { timer } of this.#alarms.values()) clearTimeout(timer);
    this.#alarms.clear();
  }

  /** After the time has jumped: Node's own timers count monotonic time. */
  rearm(): void {
    for (const [key, { at, timer }] of this.#alarms) {
      clearTimeout(timer);
      this.#arm(key, at);
    }
  }

  get size(): number {
    return this.#alarms.size;
  }

  #arm(key: string, at: number): void {
    // Rounded up: an alarm that fires early would find nothing due and be set again.
    const ms = Math.max(0, Math.ceil((at - this.#now()) / 1000));
    const timer = setTimeout(
      () => {
        this.#alarms.delete(key);
        if (ms > MAX_DELAY_MS) this.#arm(key, at);
        else this.#fire(key);
      },
      Math.min(ms, MAX_DELAY_MS),
    );
    timer.unref();
    this.#alarms.set(key, { at, timer });
  }
}
