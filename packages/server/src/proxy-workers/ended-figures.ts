import type { Id } from '@dstack/core';
import type { CountedService } from '@dstack/proxy';
import { type RawStats, sumOfStats } from '@dstack/proxy';

/** Services that are remembered; those that were added first are dropped. */
const MAX_SERVICES = 5000;

const NOTHING: RawStats = { answered: {}, slices: [] };

/** What workers that have ended had counted: totals never become smaller. */
export class EndedFigures {
  readonly #services = new Map<Id, CountedService>();

  /** The last figures of a worker. */
  add(services: readonly CountedService[]): void {
    for (const one of services) {
      const before = this.#services.get(one.runId);
      this.#services.delete(one.runId);
      this.#services.set(one.runId, {
        ...one,
        ...{ inFlight: 0, held: 0, ejected: 0 },
        raw: sumOfStats(before?.raw ?? NOTHING, one.raw),
        rawMirrored: sumOfStats(before?.rawMirrored ?? NOTHING, one.rawMirrored ?? NOTHING),
      });
    }
    for (const oldest of this.#services.keys()) {
      if (this.#services.size <= MAX_SERVICES) return;
      this.#services.delete(oldest);
    }
  }

  /** The service has ended. */
  forget(runId: Id): void {
    this.#services.delete(runId);
  }

  get all(): CountedService[] {
    return [...this.#services.values()];
  }
}
