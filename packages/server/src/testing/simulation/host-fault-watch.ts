import type { Change, Id, JobRecord } from '@dstack/core';
import { Breach } from './breach.ts';
import type { SimHost } from './sim-hosts.ts';
import { HUNG } from './sim-jobs.ts';

const SECOND = 1_000_000;

/** A link to a host that can be reached is made again within this time, with room for a restart. */
const RECONNECTED = 90 * SECOND;

/** Starts in a row after which a job fails on rented machines. */
const MOST_RENTED = 5;

export interface HostFaultWatchOptions {
  readonly job: (id: Id) => JobRecord | null;
  /** By the id of a host: that of its instance, or `local`. */
  readonly host: (id: string) => SimHost | null;
  readonly onBreach: (breach: Breach) => void;
}

/** 14: no job fails for a fault of its host, and no host is judged by a server that cannot reach any. */
export class HostFaultWatch {
  readonly #options: HostFaultWatchOptions;
  /** Submissions of a job in a row that hung engines have ended. */
  readonly #putBack = new Map<string, number>();

  constructor(options: HostFaultWatchOptions) {
    this.#options = options;
  }

  applying(changes: readonly Change[]): void {
    for (const change of changes) if (change.type === 'job.update') this.#check(change);
  }

  #check({ id, set }: Extract<Change, { type: 'job.update' }>): void {
    const job = this.#options.job(id);
    if (!job || !set.terminationReason || set.terminationReason === job.terminationReason) return;
    const instanceId = job.instanceId ?? '';
    const backend = job.provisioningData?.backend ?? null;
    const key = `${job.runId} ${job.replicaNum} ${job.jobNum}`;
    const before = this.#putBack.get(key) ?? 0;
    this.#putBack.set(key, set.hostFault === 'daemon_hung' ? before + 1 : 0);
    if (set.terminationReason === 'creating_container_error' && set.terminationMessage === HUNG) {
      // Machines that cost money are not tried for ever.
      if (backend !== 'remote' && before + 1 >= MOST_RENTED) return;
      this.#options.onBreach(
        new Breach(14, `${job.name} failed because its host's container engine hangs`),
      );
    }
    if (set.terminationMessage !== 'The instance could not be reached for too long') return;
    const host = this.#options.host(instanceId);
    const seconds = (host?.reachableFor ?? 0) / SECOND;
    if (seconds * SECOND > RECONNECTED) {
      this.#options.onBreach(
        new Breach(14, `${job.name} was given up although its host is well for ${seconds} s`),
      );
    }
  }
}
