import type { Id } from '@dstack/core';
import type { Store } from '@dstack/store';
import type { Logger } from '../process/logging.ts';

/** A run that could not be signalled is tried again this often. */
const RETRY_MS = 1000;

/**
 * Jobs that print more than their quota allows. The log store reports them, and the run's next pass
 * ends the job. Nothing is stored over a restart: the log store continues to count and reports the
 * job again.
 */
export class LogQuota {
  readonly #store: Pick<Store, 'jobs' | 'engine'>;
  readonly #log: Logger;
  readonly #breaches = new Map<Id, string>();

  constructor(store: Pick<Store, 'jobs' | 'engine'>, log: Logger) {
    this.#store = store;
    this.#log = log;
  }

  breached(jobId: Id, breach: { readonly bytes: number; readonly limit: number }): void {
    this.#breaches.set(jobId, `The job printed more than ${breach.limit} bytes within an hour`);
    this.#wakeRun(jobId);
  }

  /** Jobs over their quota, with the message for the user. */
  get breaches(): ReadonlyMap<Id, string> {
    return this.#breaches;
  }

  /** The log store reports a job only once, whether or not the database answers at that moment. */
  #wakeRun(jobId: Id): void {
    const { jobs, engine } = this.#store;
    const woken = jobs.byId(jobId).then(async (view) => {
      if (view) await engine.signal([{ kind: 'run', id: view.run.id }]);
    });
    woken.catch((error) => {
      this.#log.warn({ job: jobId, err: error }, 'the end of a job over its log quota is delayed');
      setTimeout(() => this.#wakeRun(jobId), RETRY_MS).unref();
    });
  }
}
