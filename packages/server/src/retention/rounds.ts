import { setTimeout as delay } from 'node:timers/promises';
import type { Timestamp } from '@dstack/core';
import type { Store } from '@dstack/store';
import { LEASE } from '../clock/server-clock.ts';
import type { Logger } from '../process/logging.ts';
import { leased } from '../queues/leased.ts';
import type { RetentionState } from './pause.ts';
import { RoundTime } from './round-time.ts';
import type { RetentionStep } from './step.ts';

export interface RetentionRoundsOptions {
  readonly store: Pick<Store, 'shared' | 'engine' | 'meta' | 'runs' | 'sessions' | 'services'> &
    Pick<Store, 'serviceSessions' | 'signInCodes' | 'gateways'>;
  readonly steps: readonly RetentionStep[];
  /** Ended replicas of gateways are kept as long as events, in seconds. */
  readonly events: number;
  /** Random id of this process: owner of its lease. */
  readonly owner: string;
  readonly now: () => Timestamp;
  /** Milliseconds of a clock that no step moves. */
  readonly monotonic?: () => number;
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

/** Milliseconds between confirmations of the lease, which a server that was stopped may have lost. */
const CONFIRM_MS = 3000;

/** The work is not divided: one server has all of it. */
const LEASED = 'retention';
const KEY = 'all';

/** Another server has taken the work over. */
class LeaseLost extends Error {
  override name = 'LeaseLost';
}

/**
 * Deletes what has been kept long enough, in short steps with rests between them. Of several servers
 * one does it at a time. Every step can be killed: what it has not deleted is due again.
 */
export class RetentionRounds {
  readonly #options: RetentionRoundsOptions;
  readonly #limits = new Map<string, number>();
  readonly #time: RoundTime;
  readonly #monotonic: () => number;
  #confirmedAt = 0;
  readonly #closed = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #round: Promise<void> = Promise.resolve();

  constructor(options: RetentionRoundsOptions) {
    this.#options = options;
    const { store, now, monotonic = () => performance.now() } = options;
    this.#monotonic = monotonic;
    this.#time = new RoundTime({ store, now, monotonic });
  }

  /** Makes a round now and then until `close`. */
  start(): void {
    this.#timer = setTimeout(() => this.#next(), FIRST_ROUND_MS);
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
    const { store, owner, log } = this.#options;
    let counts: Readonly<Record<string, number>> | null = null;
    const round = async () => {
      this.#confirmedAt = this.#monotonic();
      counts = await this.#steps();
      return { ending: 'done' } as const;
    };
    try {
      await (store.shared ? leased(store.engine, LEASED, owner, round) : round)(KEY);
    } catch (error) {
      if (!(error instanceof LeaseLost)) throw error;
      log.info('another server deletes old data now');
    }
    return counts;
  }

  /** Returns the state of the last look at the clock; null = there was none yet. */
  state(): Promise<RetentionState | null> {
    return this.#time.stored();
  }

  async #steps(): Promise<Readonly<Record<string, number>>> {
    await this.#time.look();
    const counts: Record<string, number> = {};
    for (const step of [...this.#options.steps, this.#small()]) {
      try {
        counts[step.name] = await this.#repeat(step);
      } catch (error) {
        if (error instanceof LeaseLost) throw error;
        // One that fails, for example on a full disk, does not keep the others.
        this.#options.log.warn({ err: error, step: step.name }, 'old data could not be deleted');
      }
    }
    return counts;
  }

  async #repeat(step: RetentionStep): Promise<number> {
    const { onStep, restFactor = 3 } = this.#options;
    for (let total = 0; ; ) {
      if (this.#closed.signal.aborted) return total;
      const limit = this.#limits.get(step.name) ?? Math.ceil(step.most / 4);
      await this.#confirmLease();
      const state = await this.#time.current();
      if (waits(step, state)) return total;
      const start = performance.now();
      const count = await step.run(limit, state.at);
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
    if (ms === 0) return;
    try {
      await delay(ms, undefined, { signal: this.#closed.signal });
    } catch {
      // The server ends.
    }
  }

  /** A server that was stopped for a while continues in the middle of a round. */
  async #confirmLease(): Promise<void> {
    const { store, owner } = this.#options;
    if (!store.shared || this.#monotonic() - this.#confirmedAt < CONFIRM_MS) return;
    if (!(await store.engine.renew(LEASED, KEY, owner, LEASE))) throw new LeaseLost();
    this.#confirmedAt = this.#monotonic();
  }

  /** A few rows, each deleted by one statement. */
  #small(): RetentionStep {
    const { store, events } = this.#options;
    return {
      ...{ name: 'ended sessions and replicas', pauses: 'clock', most: 1 },
      async run(_limit, now) {
        await store.gateways.deleteEndedReplicas(now - events * 1_000_000);
        await store.services.deleteDrainedRateBuckets(now);
        await store.sessions.deleteInvalid(now);
        await store.serviceSessions.deleteExpired(now);
        await store.signInCodes.deleteExpired(now);
        return 0;
      },
    };
  }

  #next(): void {
    this.#round = this.clean().then(
      (counts) => this.#options.log.debug(counts ?? {}, 'old data deleted'),
      (error) => this.#options.log.warn({ err: error }, 'old data could not be deleted'),
    );
    void this.#round.then(() => {
      if (this.#closed.signal.aborted) return;
      this.#timer = setTimeout(() => this.#next(), ROUND_MS);
      this.#timer.unref();
    });
  }
}

function waits({ pauses }: RetentionStep, state: RetentionState): boolean {
  if (pauses === 'never') return false;
  const { at, deletesFrom, trustedFrom } = state;
  return at < (pauses === 'clock' ? trustedFrom : Math.max(trustedFrom, deletesFrom));
}
