/** Replicas that answer with errors, as processes of this server and gateways report them. */
import { avoidedText } from '@dstack/contract/event-text';
import type { EventData } from '@dstack/contract/wire';
import { type Id, type JobRecord, replicaAvoidedEvent } from '@dstack/core';
import type { EjectedReplica } from '@dstack/proxy';
import type { Store } from '@dstack/store';
import type { Logger } from '../process/logging.ts';

export interface AvoidedReplicasOptions {
  readonly store: {
    readonly runs: Pick<Store['runs'], 'byId'>;
    readonly events: Pick<Store['events'], 'write' | 'list'>;
  };
  /** Milliseconds. */
  readonly now: () => number;
  readonly log: Logger;
}

/** Why a replica gets no requests, and until when (milliseconds since the epoch). */
export interface AvoidedNow {
  readonly text: string;
  readonly until: number;
}

interface Avoided extends EjectedReplica {
  /** Milliseconds since the epoch. */
  readonly until: number;
  /** The next event is written at this time at the earliest, in milliseconds since the epoch. */
  readonly quietUntil: number;
}

/** A replica is avoided so long (ms) at least; who reports less may do so without end. */
const SHORTEST = 5000;

/** Events of replicas that are looked at for one answer. */
const MOST_EVENTS = 100;

/** Replicas that are remembered; the one that was reported first is dropped. */
const MOST = 10_000;

export class AvoidedReplicas {
  readonly #options: AvoidedReplicasOptions;
  /** By the id of the job. */
  readonly #known = new Map<Id, Avoided>();

  constructor(options: AvoidedReplicasOptions) {
    this.#options = options;
  }

  /**
   * Several processes may report the same at about the same time: there is one event until the time that was known
   * is over.
   */
  add(ejected: EjectedReplica): void {
    const now = this.#options.now();
    const known = this.#known.get(ejected.jobId);
    const isQuiet = known !== undefined && now < known.quietUntil;
    const until = Math.max(now + ejected.ms, known?.until ?? 0);
    const quietUntil = isQuiet
      ? Math.max(until, known.quietUntil)
      : Math.max(until, now + SHORTEST);
    this.#known.delete(ejected.jobId);
    this.#known.set(ejected.jobId, { ...ejected, until, quietUntil });
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= MOST) break;
      this.#known.delete(oldest);
    }
    if (isQuiet) return;
    this.#write(ejected).catch((error) => {
      this.#options.log.warn({ err: error }, 'the event of an avoided replica was not stored');
    });
  }

  /**
   * The replicas among these that get no requests now. What was reported to another server, or before this one was
   * started, is read from the events.
   */
  async among(jobIds: readonly Id[]): Promise<ReadonlyMap<Id, AvoidedNow>> {
    const now = this.#options.now();
    const found = new Map<Id, AvoidedNow>();
    for (const jobId of jobIds) {
      const known = this.#known.get(jobId);
      if (known === undefined || known.until <= now) continue;
      found.set(jobId, { text: avoidedText(figuresOf(known)), until: known.until });
    }
    const others = jobIds.filter((jobId) => !found.has(jobId));
    // The newest first.
    for (const [jobId, one] of await this.#stored(others)) {
      if (one.until > now && !found.has(jobId)) found.set(jobId, one);
    }
    return found;
  }

  /** From the latest events of these jobs. */
  async #stored(ids: readonly Id[]): Promise<[Id, AvoidedNow][]> {
    if (ids.length === 0) return [];
    const { events } = this.#options.store;
    const asked = { visibleTo: null, targets: { type: 'job', ids } } as const;
    const latest = await events.list({ ...asked, page: { limit: MOST_EVENTS } });
    return latest.flatMap(({ action, data, recordedAt, targets }) => {
      const job = targets.find(({ type }) => type === 'job');
      if (action !== 'job.replica_avoided' || job === undefined) return [];
      const { seconds, ...figures } = data as EventData['job.replica_avoided'];
      return [[job.id, { text: avoidedText(figures), until: recordedAt / 1000 + seconds * 1000 }]];
    });
  }

  async #write(ejected: EjectedReplica): Promise<void> {
    const { store } = this.#options;
    const job = (await store.runs.byId(ejected.runId))?.jobs.find(isOf(ejected.jobId));
    if (job === undefined) return;
    const seconds = Math.max(1, Math.round(ejected.ms / 1000));
    await store.events.write([replicaAvoidedEvent(job, { seconds, ...figuresOf(ejected) })]);
  }
}

const isOf =
  (jobId: Id) =>
  ({ id }: JobRecord): boolean =>
    id === jobId;

function figuresOf({ why }: EjectedReplica) {
  return why.cause === 'errors_in_row'
    ? { errors: why.errors, rate: null, others: null }
    : { errors: null, rate: why.rate, others: why.others };
}
