import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { Id } from '@dstack/core';
import type { CountedService } from '@dstack/proxy';
import {
  countedModelOf,
  type RawStats,
  sumOfStats,
  sumOfTotals,
  totalsOfModel,
} from '@dstack/proxy';

/** Services that are remembered; those that were added first are dropped. */
const MAX_SERVICES = 5000;

const NOTHING: RawStats = { answered: {}, slices: [] };

/** The counts of workers that have ended, so that totals never decrease, even by a restart of the server. */
export class EndedFigures {
  readonly #services: Map<Id, CountedService>;
  readonly #path: string;

  /** `path`: of the file, whose folder exists once there was a worker. */
  constructor(path: string) {
    this.#path = path;
    // Ended workers have no replicas; an earlier server may not have stored that.
    this.#services = new Map(stored(path).map((one) => [one.runId, { ...one, replicas: [] }]));
  }

  /** The last figures of a worker. */
  add(services: readonly CountedService[]): void {
    for (const one of services) {
      const before = this.#services.get(one.runId);
      this.#services.delete(one.runId);
      this.#services.set(one.runId, {
        ...one,
        ...{ inFlight: 0, held: 0, ejected: 0, replicas: [] },
        model: countedModelOf([before?.model ?? null, totalsOfModel(one.model)]),
        raw: sumOfStats(before?.raw ?? NOTHING, one.raw),
        byReplica: sumOfTotals(before?.byReplica ?? {}, one.byReplica ?? {}),
        rawMirrored: sumOfStats(before?.rawMirrored ?? NOTHING, one.rawMirrored ?? NOTHING),
      });
    }
    for (const oldest of this.#services.keys()) {
      if (this.#services.size <= MAX_SERVICES) break;
      this.#services.delete(oldest);
    }
    if (services.length > 0) this.#store();
  }

  /** The service has ended. */
  forget(runId: Id): void {
    if (this.#services.delete(runId)) this.#store();
  }

  get all(): CountedService[] {
    return [...this.#services.values()];
  }

  #store(): void {
    try {
      writeFileSync(`${this.#path}.new`, JSON.stringify(this.all), { mode: 0o600 });
      renameSync(`${this.#path}.new`, this.#path);
    } catch {
      // A full disk: the totals begin anew after a restart.
    }
  }
}

function stored(path: string): CountedService[] {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as CountedService[];
  } catch {
    // No worker has ended yet.
    return [];
  }
}
