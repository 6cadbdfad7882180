import { type Id, type JobRecord, SECOND, type Timestamp } from '@dstack/core';
import type { Store } from '@dstack/store';

export interface DrainOptions {
  readonly store: Pick<Store, 'shared' | 'engine'>;
  readonly services: { leave(jobId: Id, whenIdle: () => void): boolean };
  readonly now: () => Timestamp;
}

/** Requests get this share of `stop_duration` to be answered in; the process has the rest. */
const SHARE = 0.5;

/** No request is waited for longer than this (µs), also where the stop itself may take for ever. */
const LONGEST = 600 * SECOND;

/** By then every server knows that the replica takes nothing more (µs). */
const KNOWN_TO_ALL = 2 * SECOND;

/**
 * Lets a replica that is scaled down answer what it was asked before it is told to stop. Requests
 * that other servers have sent it are waited for only until those have heard of it.
 */
export class Drain {
  readonly #options: DrainOptions;

  constructor(options: DrainOptions) {
    this.#options = options;
  }

  /** False: not now; the effect of this key is woken when it may be so. */
  isDone(job: JobRecord, key: string): boolean {
    const { store, services, now } = this.#options;
    const since = job.stopRequestedAt ?? now();
    if (now() >= since + limit(job)) return true;
    // A database that does not answer has all unfinished work taken up when it does again.
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
