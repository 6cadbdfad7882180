import { type Id, type JobRecord, SECOND, type Timestamp } from '@dstack/core';
import type { Store } from '@dstack/store';

export interface DrainOptions {
  readonly store: Pick<Store, 'shared' | 'engine'>;
  readonly services: { leave(jobId: Id, whenIdle: () => void): boolean };
  readonly now: () => Timestamp;
}

/** The share of `stop_duration` for answering requests; the process has the rest. */
const SHARE = 0.5;

/** The longest wait for a request (µs), even if the stop itself has no limit. */
const LONGEST = 600 * SECOND;

/** After this time every server has stopped sending requests to the replica (µs). */
const KNOWN_TO_ALL = 2 * SECOND;

/**
 * Lets a scaled-down replica answer its pending requests before it is stopped. Requests from other
 * servers are awaited only until those servers have received the change.
 */
export class Drain {
  readonly #options: DrainOptions;

  constructor(options: DrainOptions) {
    this.#options = options;
  }

  /** False: not yet; the effect with this key is signalled when it may continue. */
  isDone(job: JobRecord, key: string): boolean {
    const { store, services, now } = this.#options;
    const since = job.stopRequestedAt ?? now();
    if (now() >= since + limit(job)) return true;
    // If the database does not answer, all unfinished work is started again once it does.
    const wake = () => void store.engine.signal([{ kind: 'intent', id: key }]).catch(() => {});
    if (!services.leave(job.id, wake)) return false;
    const known = store.shared ? since + KNOWN_TO_ALL : since;
    if (now() >= known) return true;
    setTimeout(wake, (known - now()) / 1000).unref();
    return false;
  }
}

function limit(job: JobRecord): number {
  const seconds = job.spec.stop_duration ?? null;
  return seconds === null ? LONGEST : Math.min(seconds * SECOND * SHARE, LONGEST);
}
