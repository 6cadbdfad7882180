import type { CloudClock } from './clock.ts';
import type { CloudFaults } from './faults.ts';
import { Refusal } from './refusal.ts';
import type { CloudRandom } from './vm.ts';

/**
 * `refused`: not carried out, the provider answers with an error of its own. `lost`: carried out, but the
 * connection ends before the answer. `never arrived`: the connection ends before it is carried out.
 */
export type CallOutcome = 'answered' | 'refused' | 'lost' | 'never arrived';

export interface CloudCallsOptions {
  readonly clock: CloudClock;
  readonly random: CloudRandom;
  readonly faults: () => CloudFaults;
}

/** Delay between two checks whether calls are still held, in real time. */
const GATE_LOOK_MS = 20;

/** Real unless a simulation has replaced the timers of the process. */
const delay = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Decides what happens to each request, before and after its effect. */
export class CloudCalls {
  readonly #options: CloudCallsOptions;
  readonly #scripted: CallOutcome[] = [];

  constructor(options: CloudCallsOptions) {
    this.#options = options;
  }

  /** Fixes the outcomes of the next calls; after them, outcomes are random again. */
  script(...outcomes: readonly CallOutcome[]): void {
    this.#scripted.splice(0, this.#scripted.length, ...outcomes);
  }

  /** `answered` calls succeed, the next one does not. As the contract suite of backends requires it. */
  fail(answered: number, how: Exclude<CallOutcome, 'answered'>): void {
    this.script(...Array<CallOutcome>(answered).fill('answered'), how);
  }

  heal(): void {
    this.script();
  }

  /** Returns the answer, or null if the client must not get one. Throws a `Refusal`. */
  async carryOut<T>(effect: () => T | Promise<T>): Promise<T | null> {
    const { random, clock, faults } = this.#options;
    const { slowSeconds, lostRequest } = faults();
    if (slowSeconds > 0) await clock.delay(random.whole(1, slowSeconds * 1000) * 1000);
    await this.#waitAt('request');
    const outcome = this.#scripted.shift() ?? null;
    if (outcome === 'never arrived' || (outcome === null && random.chance(lostRequest)))
      return null;
    this.#refuse(outcome);
    const answer = await effect();
    await this.#waitAt('answer');
    const isLost = outcome === 'lost' || (outcome === null && random.chance(faults().lostResponse));
    return isLost ? null : answer;
  }

  #refuse(outcome: CallOutcome | null): void {
    const { random, faults } = this.#options;
    const { rateLimit, error, refuse, bareRateLimit } = faults();
    if (refuse !== null) throw new Refusal(refuse, `the provider refuses: ${refuse}`);
    if (outcome === null && random.chance(rateLimit)) {
      throw new Refusal('too_many_calls', 'too many calls', {
        retryAfterSeconds: bareRateLimit ? null : 1,
      });
    }
    if (outcome === 'refused' || (outcome === null && random.chance(error))) {
      throw new Refusal('provider_error', 'an error of the provider');
    }
  }

  async #waitAt(gate: CloudFaults['hold']): Promise<void> {
    while (this.#options.faults().hold === gate) await delay(GATE_LOOK_MS);
  }
}
