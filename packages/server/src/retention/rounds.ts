import { setTimeout as delay } from 'node:timers/promises';
import type { Timestamp } from '@dstack/core';
import type { Store } from '@dstack/store';
import { leased } from '../loops/leased.ts';
import type { Logger } from '../process/logging.ts';
import { nextState, parseState, type RetentionState } from './pause.ts';
import type { RetentionStep } from './steps.ts';

export interface RetentionRoundsOptions {
  readonly store: Pick<Store, 'shared' | 'engine' | 'meta' | 'runs' | 'sessions' | 'services'> &
    Pick<Store, 'serviceSessions' | 'signInCodes' | 'gateways'>;
  readonly steps: readonly RetentionStep[];
  /** Ended replicas of gateways are kept as long as events, in seconds. */
  readonly events: number;
  /** Random id of this process: owner of its lease. */
  readonly owner: string;
  readonly now: () => Timestamp;
  readonly log: Logger;
  /** Called with the duration of each step, in milliseconds. */
  readonly onStep?: (name: string, ms: number, count: number) => void;
  /** Rest after a step for each millisecond of it; a quarter of one CPU at most by default. */
  readonly restFactor?: number;
}

/** Between two rounds: deletion is not urgent, and a round without work costs some queries. */
const ROUND_MS = 60_000;

/** The first round waits until a starting server has done its urgent work. */
const FIRST_ROUND_MS = 60_000;

/** A step that takes longer gets half as many rows the next time; far below a second. */
const LONG_STEP_MS = 200;
const SHORT_STEP_MS = 50;

const STATE = 'retention';

/**
 * Deletes what has been kept long enough, in short steps with rests between them. Of several servers
 * one does it at a time. Every step can be killed: what it has not deleted is due again.
 */
export class RetentionRounds {
  readonly #options: RetentionRoundsOptions;
  readonly #limits = new Map<string, number>();
  readonly #closed = new AbortController();
  #timer: NodeJS.Timeout;
  #round: Promise<void> = Promise.resolve();

  constructor(options: RetentionRoundsOptions) {
    this.#options = options;
    this.#timer = setTimeout(() => this.#start(), FIRST_ROUND_MS);
    this.#timer.unref();
  }

  /** Waits for the present step. */
  async close(): Promise<void> {
    this.#closed.abort();
    clearTimeout(this.#timer);
    await this.#round;
  }

  /** One round; returns what was done by step. Null = another server does it. */
  async clean(): Promise<Readonly<Record<string, number>> | null> {
    const { store, owner } = this.#options;
    let counts: Readonly<Record<string, number>> | null = null;
    const round = async () => {
      counts = await this.#steps();
      return { ending: 'done' } as const;
    };
    await (store.shared ? leased(store.engine, 'retention', owner, round) : round)('all');
    return counts;
  }

  /** When deletion begins, as of the last round; null = there was none yet. */
  async state(): Promise<RetentionState | null> {
    return parseState(await this.#options.store.meta.get(STATE));
  }

  async #steps(): Promise<Readonly<Record<string, number>>> {
    const { steps, now } = this.#options;
    const { deletesFrom } = await this.#nextState();
    const counts: Record<string, number> = {};
    for (const step of steps) {
      if (step.pauses && now() < deletesFrom) continue;
      try {
        counts[step.name] = await this.#repeat(step);
      } catch (error) {
        // One that fails, for example on a full disk, does not keep the others.
        this.#options.log.warn({ err: error, step: step.name }, 'old data could not be deleted');
      }
    }
    return { ...counts, ...(await this.#small()) };
  }

  async #repeat(step: RetentionStep): Promise<number> {
    const { onStep, restFactor = 3 } = this.#options;
    for (let total = 0; ; ) {
      if (this.#closed.signal.aborted) return total;
      const limit = this.#limits.get(step.name) ?? Math.ceil(step.most / 4);
      const start = performance.now();
      const count = await step.run(limit);
      const ms = performance.now() - start;
      onStep?.(step.name, ms, count);
      if (ms > LONG_STEP_MS) this.#limits.set(step.name, Math.max(1, Math.floor(limit / 2)));
      else if (ms < SHORT_STEP_MS) this.#limits.set(step.name, Math.min(step.most, limit * 2));
      if (count === 0) return total;
      total += count;
      await this.#rest(ms * restFactor);
    }
  }

  async #rest(ms: number): Promise<void> {
    try {
      await delay(ms, undefined, { signal: this.#closed.signal });
    } catch {
      // The server ends.
    }
  }

  async #nextState(): Promise<RetentionState> {
    const { store, now } = this.#options;
    const before = parseState(await store.meta.get(STATE));
    const hasRuns = (await store.runs.list({ projectIds: null, page: { limit: 1 } })).length > 0;
    const state = nextState(before, now(), hasRuns);
    await store.meta.set(STATE, JSON.stringify(state));
    return state;
  }

  /** A few rows, each deleted by one statement. */
  async #small(): Promise<Readonly<Record<string, number>>> {
    const { store, now, events } = this.#options;
    return {
      gatewayReplicas: await store.gateways.deleteEndedReplicas(now() - events * 1_000_000),
      rateBuckets: await store.services.deleteDrainedRateBuckets(now()),
      sessions: await store.sessions.deleteInvalid(now()),
      serviceSessions: await store.serviceSessions.deleteExpired(now()),
      signInCodes: await store.signInCodes.deleteExpired(now()),
    };
  }

  #start(): void {
    this.#round = this.clean().then(
      (counts) => this.#options.log.debug(counts ?? {}, 'old data deleted'),
      (error) => this.#options.log.warn({ err: error }, 'old data could not be deleted'),
    );
    void this.#round.then(() => {
      if (this.#closed.signal.aborted) return;
      this.#timer = setTimeout(() => this.#start(), ROUND_MS);
      this.#timer.unref();
    });
  }
}
