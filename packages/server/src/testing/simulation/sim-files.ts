import { type Unobserved, withUnobserved } from '@dstack/core';
import type { Shortage } from '../../process/open-files.ts';

/** The open files of a server of a simulation: for a while there may be none left. */
export class SimFiles {
  readonly #monotonic: () => number;
  #isShort = false;
  /** By the monotonic clock of its host, in milliseconds. */
  #past: readonly Unobserved[] = [];
  #shortSince = 0;

  constructor(monotonic: () => number) {
    this.#monotonic = monotonic;
  }

  get isShort(): boolean {
    return this.#isShort;
  }

  set(isShort: boolean): void {
    const now = this.#monotonic();
    if (isShort && !this.#isShort) this.#shortSince = now;
    if (this.#isShort) {
      this.#past = withUnobserved(this.#past, { from: this.#shortSince, until: now });
    }
    this.#isShort = isShort;
  }

  get shortages(): readonly Shortage[] {
    const now = this.#monotonic();
    const present = this.#isShort ? [{ from: this.#shortSince, until: now }] : [];
    return [...this.#past, ...present].map(({ from, until }) => ({
      ...{ from: now - from, until: now - until },
    }));
  }
}
