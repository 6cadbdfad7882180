import { SECOND, type Timestamp } from '@dstack/core';
import type { RunCount, Store } from '@dstack/store';

/** Ended runs are counted for good this long after their end: by then every server has written it (µs). */
const SETTLED = 600 * SECOND;

/** Ended runs counted by one statement. */
const PIECE = 20_000;

type CountedStore = { readonly runs: Pick<Store['runs'], 'unfinishedCounts' | 'endedCounts'> };

/**
 * How many runs there have been, by project, user and status. Those that have ended are counted once, so that a
 * question costs what has happened since the last one, and what retention deletes does not lower the counts
 * before the next start.
 */
export class RunCounts {
  readonly #runs: CountedStore['runs'];
  readonly #settled = new Map<string, RunCount>();
  #settledUntil: Timestamp = 0;
  #last: Promise<unknown> = Promise.resolve();

  constructor({ runs }: CountedStore) {
    this.#runs = runs;
  }

  /** One row per project, user and status. Questions wait for each other. */
  read(now: Timestamp): Promise<readonly RunCount[]> {
    const answer = this.#last.then(() => this.#read(now));
    this.#last = answer.catch(() => {});
    return answer;
  }

  async #read(now: Timestamp): Promise<readonly RunCount[]> {
    // A clock that was ahead has counted up to a time at which runs still end.
    if (this.#settledUntil > now) {
      this.#settled.clear();
      this.#settledUntil = 0;
    }
    await this.#count(this.#settledUntil, now - SETTLED, (counts, until) => {
      for (const one of counts) add(this.#settled, one);
      this.#settledUntil = until;
    });
    const all = new Map(this.#settled);
    await this.#count(this.#settledUntil, Number.MAX_SAFE_INTEGER, (counts) => {
      for (const one of counts) add(all, one);
    });
    for (const one of await this.#runs.unfinishedCounts()) add(all, one);
    return [...all.values()];
  }

  /** In pieces, between which other work runs. */
  async #count(
    from: Timestamp,
    until: Timestamp,
    take: (counts: readonly RunCount[], until: Timestamp) => void,
  ): Promise<void> {
    for (let start = from; start < until; ) {
      const { counts, next } = await this.#runs.endedCounts(start, until, PIECE);
      start = next ?? until;
      take(counts, start);
    }
  }
}

function add(counts: Map<string, RunCount>, one: RunCount): void {
  const key = `${one.projectId} ${one.userId} ${one.status}`;
  counts.set(key, { ...one, count: one.count + (counts.get(key)?.count ?? 0) });
}
