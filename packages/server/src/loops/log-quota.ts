import type { Id } from '@dstack/core';
import type { Store } from '@dstack/store';

/**
 * Jobs that print more than they may. The log store finds out, the run's next pass ends the job.
 * Nothing is kept over a restart: the log store counts on where it was, and says it again.
 */
export class LogQuota {
  readonly #store: Store;
  readonly #breaches = new Map<Id, string>();

  constructor(store: Store) {
    this.#store = store;
  }

  breached(jobId: Id, breach: { readonly bytes: number; readonly limit: number }): void {
    this.#breaches.set(jobId, `The job printed more than ${breach.limit} bytes within an hour`);
    void this.#store.jobs.byId(jobId).then((view) => {
      if (view) return this.#store.engine.signal([{ kind: 'run', id: view.run.id }]);
    });
  }

  breaches(jobIds: readonly Id[]): Readonly<Record<Id, string>> {
    if (this.#breaches.size === 0) return {};
    const entries = jobIds.map((id) => [id, this.#breaches.get(id)] as const);
    return Object.fromEntries(entries.filter((entry) => entry[1] !== undefined)) as Record<
      Id,
      string
    >;
  }
}
