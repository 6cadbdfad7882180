import type { Timestamp } from '@dstack/core';
import type { Store } from '@dstack/store';
import { LEASE } from '../clock/server-clock.ts';
import { isDiskFull } from '../process/disk-trouble.ts';
import { nextState, parseState, type RetentionState } from './pause.ts';

export interface RoundTimeOptions {
  readonly store: Pick<Store, 'meta' | 'runs'>;
  readonly now: () => Timestamp;
  /** Milliseconds since any instant, which no step of the clock moves. */
  readonly monotonic: () => number;
}

/** While a round is under way, the clock is looked at this often; far less than a gap. */
const LOOK_MS = 60_000;

const STATE = 'retention';

/** The time by which ages are judged. It was compared with the last one before anything is deleted. */
export class RoundTime {
  readonly #options: RoundTimeOptions;
  /** The last look, while the disk is too full to store it. */
  #unstored: RetentionState | null = null;
  #last: { readonly state: RetentionState; readonly monotonic: number } | null = null;

  constructor(options: RoundTimeOptions) {
    this.#options = options;
  }

  /** Returns the state that the last look of any server stored; null = there was none yet. */
  async stored(): Promise<RetentionState | null> {
    return parseState(await this.#options.store.meta.get(STATE));
  }

  /** Looks at the clock if it has jumped since the last look, or that was a while ago. */
  async current(): Promise<RetentionState> {
    const { now, monotonic } = this.#options;
    if (this.#last === null) return await this.look();
    const passed = monotonic() - this.#last.monotonic;
    const jump = Math.abs(now() - (this.#last.state.at + passed * 1000));
    return passed > LOOK_MS || jump > LEASE ? await this.look() : this.#last.state;
  }

  async look(): Promise<RetentionState> {
    const { store, now, monotonic } = this.#options;
    const before = this.#unstored ?? (await this.stored());
    const hasRuns =
      before === null &&
      (await store.runs.list({ projectIds: null, page: { limit: 1 } })).length > 0;
    const state = nextState(before, now(), hasRuns);
    await this.#keep(state);
    this.#last = { state, monotonic: monotonic() };
    return state;
  }

  /** A full disk must not prevent the deletion that makes room on it. */
  async #keep(state: RetentionState): Promise<void> {
    this.#unstored = null;
    try {
      await this.#options.store.meta.set(STATE, JSON.stringify(state));
    } catch (error) {
      if (!isDiskFull(error)) throw error;
      this.#unstored = state;
    }
  }
}
