/** Offers that orders of this process have used up, for as long as searches that are shown may still have them. */
import type { CallPace } from '../base/rest-vm/pace.ts';

const TAKEN_MS = 360_000;

interface Taken {
  /** Name of the order. */
  readonly by: string;
  readonly at: number;
  /** Id; null = not known yet. */
  instance: string | null;
}

export class TakenAsks {
  readonly #pace: Pick<CallPace, 'now'>;
  readonly #byAsk = new Map<string, Taken>();

  constructor(pace: Pick<CallPace, 'now'>) {
    this.#pace = pace;
  }

  has(ask: string): boolean {
    this.#forget();
    return this.#byAsk.has(ask);
  }

  /** Returns false if another order has it. */
  take(ask: string, by: string): boolean {
    this.#forget();
    const before = this.#byAsk.get(ask);
    if (before !== undefined && before.by !== by) return false;
    this.#byAsk.delete(ask);
    this.#byAsk.set(ask, { by, at: this.#pace.now(), instance: null });
    return true;
  }

  /** The order has made this instance of it. */
  made(ask: string, by: string, instance: string): void {
    const found = this.#byAsk.get(ask);
    if (found?.by === by) found.instance = instance;
  }

  /** An instance ends: the machine has room again. */
  ended(instance: string): void {
    for (const [ask, found] of this.#byAsk) {
      if (found.instance === instance) this.#byAsk.delete(ask);
    }
  }

  /** The order has not used it up. */
  giveBack(ask: string, by: string): void {
    if (this.#byAsk.get(ask)?.by === by) this.#byAsk.delete(ask);
  }

  #forget(): void {
    const now = this.#pace.now();
    // The oldest ones come first.
    for (const [ask, { at }] of this.#byAsk) {
      if (now - at < TAKEN_MS) break;
      this.#byAsk.delete(ask);
    }
  }
}
