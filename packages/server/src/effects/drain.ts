import { type Id, type JobRecord, SECOND, type Timestamp } from '@dstack/core';
import type { JobView, Store } from '@dstack/store';

export interface DrainOptions {
  readonly store: Pick<Store, 'shared' | 'engine'>;
  readonly services: { leave(jobId: Id, whenIdle: () => void): boolean };
  /** Workers that get their requests from a router; see `WorkerRemoval.leave`. */
  readonly workers: { leave(view: JobView, limitMs: number, whenDone: () => void): boolean };
  readonly now: () => Timestamp;
  /** Since when `now` has passed evenly. */
  readonly steadySince?: () => Timestamp;
}

/** The share of `stop_duration` for answering requests; the process has the rest. */
const SHARE = 0.5;

/** The longest wait for a request (µs), even if the stop itself has no limit. */
const LONGEST = 600 * SECOND;

/** After this time every server has stopped sending requests to the replica (µs). */
const KNOWN_TO_ALL = 2 * SECOND;

/**
 * Lets a scaled-down replica answer its pending requests before it is stopped; a worker is removed from
 * its router first. Requests from other servers are awaited only until those servers have received the
 * change.
 */
export class Drain {
  readonly #options: DrainOptions;

  constructor(options: DrainOptions) {
    this.#options = options;
  }

  /** False: not yet; the effect with this key is signalled when it may continue. */
  isDone(view: JobView, key: string): boolean {
    const { store, services, workers, now } = this.#options;
    const { job } = view;
    const since = this.#since(job);
    const left = since + limit(job) - now();
    if (left <= 0) return true;
    // If the database does not answer, all unfinished work is started again once it does.
    const wake = () => void store.engine.signal([{ kind: 'intent', id: key }]).catch(() => {});
    const isIdle = services.leave(job.id, wake);
    if (!workers.leave(view, left / 1000, wake) || !isIdle) return false;
    const known = store.shared ? since + KNOWN_TO_ALL : since;
    if (now() >= known) return true;
    setTimeout(wake, (known - now()) / 1000).unref();
    return false;
  }

  /** A time that is still to come was stored by a server with a wrong clock. */
  #since({ stopRequestedAt }: JobRecord): Timestamp {
    const { now, steadySince = now } = this.#options;
    if (stopRequestedAt === null) return now();
    return stopRequestedAt <= now() ? stopRequestedAt : steadySince();
  }
}

function limit(job: JobRecord): number {
  const seconds = job.spec.stop_duration ?? null;
  return seconds === null ? LONGEST : Math.min(seconds * SECOND * SHARE, LONGEST);
}
