/** Replicas that answer with errors, as processes of this server and gateways report them. */
import { avoidedText } from '@dstack/contract/event-text';
import { type Id, type JobRecord, replicaAvoidedEvent } from '@dstack/core';
import type { EjectedReplica } from '@dstack/proxy';
import type { Store } from '@dstack/store';
import type { Logger } from '../process/logging.ts';

export interface AvoidedReplicasOptions {
  readonly store: {
    readonly runs: Pick<Store['runs'], 'byId'>;
    readonly events: Pick<Store['events'], 'write'>;
  };
  /** Milliseconds. */
  readonly now: () => number;
  readonly log: Logger;
}

interface Avoided extends EjectedReplica {
  /** Milliseconds since the epoch. */
  readonly until: number;
  /** The next event is written at this time at the earliest, in milliseconds since the epoch. */
  readonly quietUntil: number;
}

/** A replica is avoided so long (ms) at least; who reports less may do so without end. */
const SHORTEST = 5000;

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

  /** Why the replica gets no requests now, and until when (milliseconds since the epoch); null = it gets some. */
  of(jobId: Id): { readonly text: string; readonly until: number } | null {
    const known = this.#known.get(jobId);
    if (known === undefined || known.until <= this.#options.now()) return null;
    return { text: avoidedText(figuresOf(known)), until: known.until };
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
