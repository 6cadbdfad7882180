import type { SimFaults } from '@dstack/contract';
import { BusyError, NoAnswerError } from '../base/errors.ts';

/** Times in µs. */
export interface SimClock {
  readonly now: number;
  delay(us: number): Promise<void>;
}

/** Random numbers from one seed. */
export interface SimRandom {
  /** An integer from `from` to `to`, both included. */
  whole(from: number, to: number): number;
  chance(probability: number): boolean;
}

export interface SimCallsOptions {
  readonly clock: SimClock;
  readonly random: SimRandom;
  readonly faults: () => SimFaults;
}

/** Delay between two checks whether calls are still held. */
const GATE_LOOK_US = 20_000;

/** `refused`: not carried out. `lost`: carried out, but the answer does not arrive. */
export type SimOutcome = 'answered' | 'refused' | 'lost';

/** Requests to a simulated provider: each takes its time, and may fail before or after its effect. */
export class SimCalls {
  readonly #options: SimCallsOptions;
  readonly #scripted: SimOutcome[] = [];

  constructor(options: SimCallsOptions) {
    this.#options = options;
  }

  /** Fixes the outcomes of the next calls; after them, outcomes are random again. */
  script(...outcomes: readonly SimOutcome[]): void {
    this.#scripted.splice(0, this.#scripted.length, ...outcomes);
  }

  async answer<T>(carryOut: () => T | Promise<T>): Promise<T> {
    const { random, clock, faults } = this.#options;
    const { slowSeconds } = faults();
    if (slowSeconds > 0) await clock.delay(random.whole(1, slowSeconds * 1000) * 1000);
    await this.#waitAt('request');
    const outcome = this.#scripted.shift() ?? null;
    this.#refuse(outcome);
    const result = await carryOut();
    await this.#waitAt('answer');
    if (outcome === 'lost' || (outcome === null && random.chance(faults().lostResponse))) {
      throw new NoAnswerError('the connection was reset');
    }
    return result;
  }

  async #waitAt(gate: SimFaults['hold']): Promise<void> {
    const { clock, faults } = this.#options;
    while (faults().hold === gate) await clock.delay(GATE_LOOK_US);
  }

  /** The time until a machine that is ordered now is ready. */
  bootUs(): number {
    const { random, faults } = this.#options;
    const [least, most] = faults().bootSeconds;
    return random.whole(least * 1_000_000, most * 1_000_000);
  }

  #refuse(outcome: SimOutcome | null): void {
    const { random, faults } = this.#options;
    const { rateLimit, error } = faults();
    if (outcome === null && random.chance(rateLimit)) {
      throw new BusyError('429 Too Many Requests');
    }
    if (outcome === 'refused' || (outcome === null && random.chance(error))) {
      throw new BusyError('500 Internal Server Error');
    }
  }
}
