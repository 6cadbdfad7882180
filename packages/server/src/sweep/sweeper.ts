import { isSweepDue, type SweepRecord, type Timestamp } from '@dstack/core';
import type { ProjectBackends } from '../offers/project-backends.ts';
import { leased } from '../queues/leased.ts';
import { ClaimKeeper } from './claim-keeper.ts';
import { type SweepDeps, sweepBackend } from './sweep-backend.ts';
import { type SweptBackend, sweptBackends } from './swept-backends.ts';

export interface SweeperOptions extends Omit<SweepDeps, 'claims' | 'watched'> {
  readonly backends: Pick<ProjectBackends, 'of'>;
  /** Random id of this process: owner of its leases. */
  readonly owner: string;
}

/**
 * Starting servers first do the work that users wait for. Less than `CONFIRM_AFTER`: a copy of an
 * installation has to renew its claim before the original can confirm that resources of the copy
 * are orphans.
 */
const FIRST_MS = 90_000;

/** How soon the server notices newly configured backends. */
const LONGEST_MS = 600_000;
const SHORTEST_MS = 5_000;

/** Another server sweeps, or the database did not answer. */
const AGAIN_MS = 60_000;

/**
 * Looks for orphans: resources with this installation's tag that cost money and have no record.
 * Each backend has its own schedule; of several servers one sweeps at a time.
 */
export class Sweeper {
  readonly #options: SweeperOptions;
  readonly #deps: SweepDeps;
  #timer: NodeJS.Timeout;
  #round: Promise<unknown> = Promise.resolve();
  #isClosed = false;
  /** The first round sweeps all backends, whatever their schedule in the database. */
  #isFirst = true;

  constructor(options: SweeperOptions) {
    this.#options = options;
    this.#deps = { ...options, claims: new ClaimKeeper(options), watched: new Map() };
    this.#timer = setTimeout(() => this.#start(), FIRST_MS).unref();
  }

  /** Waits for the present call to a backend. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#round;
  }

  /** Sweeps the backends that are due. Returns when the next one is; null = another server sweeps. */
  async sweep(): Promise<Timestamp | null> {
    const { store, owner } = this.#options;
    let next: Timestamp | null = null;
    const round = async () => {
      next = await this.#sweepDue();
      return { ending: 'done' } as const;
    };
    await (store.shared ? leased(store.engine, 'sweep', owner, round) : round)('sweep');
    return next;
  }

  async #sweepDue(): Promise<Timestamp> {
    const { store, backends, now } = this.#options;
    const swept = await sweptBackends(store, backends);
    const sweeps = await store.sweeps.list();
    const removed = sweeps.filter((sweep) => !swept.some((one) => isOf(sweep, one)));
    for (const sweep of removed) {
      await this.#deps.claims.retire(sweep);
      await store.sweeps.forget(sweep);
      this.#deps.watched.delete(`${sweep.projectId} ${sweep.backend}`);
    }
    const isFirst = this.#isFirst;
    const records = await Promise.all(
      swept.map(async (one) => {
        const record = sweeps.find((sweep) => isOf(sweep, one)) ?? firstSweep(one, now());
        const isDue = isFirst || isSweepDue(record.nextAt, now());
        return isDue ? await sweepBackend(this.#deps, one, record) : record;
      }),
    );
    this.#isFirst = false;
    return Math.min(...records.map(({ nextAt }) => nextAt));
  }

  #start(): void {
    this.#round = this.sweep().then(
      (next) => this.#arm(next === null ? AGAIN_MS : (next - this.#options.now()) / 1000),
      (error) => {
        this.#options.log.warn({ err: error }, 'sweep failed');
        this.#arm(AGAIN_MS);
      },
    );
  }

  #arm(ms: number): void {
    if (this.#isClosed) return;
    const delay = Math.min(LONGEST_MS, Math.max(SHORTEST_MS, ms));
    this.#timer = setTimeout(() => this.#start(), delay).unref();
  }
}

function isOf({ projectId, backend }: SweepRecord, one: SweptBackend): boolean {
  return projectId === one.project.id && backend === one.backend.name;
}

function firstSweep({ project, backend }: SweptBackend, now: Timestamp): SweepRecord {
  return {
    projectId: project.id,
    backend: backend.name,
    sweptAt: null,
    nextAt: now,
    failures: 0,
    error: null,
    nonces: [],
    hindrance: null,
  };
}
