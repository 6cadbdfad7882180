import type { AccessRecord } from '@dstack/contract/wire';
import type { Connection } from '../../context.ts';

/** A job that the server does not list is looked for again after this time, in milliseconds. */
const AGAIN_MS = 5000;

/** The numbers of the replicas of a run, by their jobs; new ones are read when they have answered a request. */
export class ReplicaNumbers {
  readonly #connection: Connection;
  readonly #run: string;
  readonly #now: () => number;
  readonly #numbers = new Map<string, number>();
  #readAt = Number.NEGATIVE_INFINITY;

  constructor(connection: Connection, run: string, now: () => number) {
    this.#connection = connection;
    this.#run = run;
    this.#now = now;
  }

  /** Null: no replica has answered, or it is not known which one. */
  of({ job_id }: AccessRecord): number | null {
    return this.#numbers.get(job_id ?? '') ?? null;
  }

  /** Call it before `of`. */
  async learn(records: readonly AccessRecord[]): Promise<void> {
    const isKnown = records.every(({ job_id }) => !job_id || this.#numbers.has(job_id));
    if (isKnown || this.#now() - this.#readAt < AGAIN_MS) return;
    this.#readAt = this.#now();
    const found = this.#connection.project.runs.get({ run_name: this.#run });
    // Requests of a run that has been deleted are of no replica.
    const run = await found.catch(() => null);
    for (const { job_spec, job_submissions } of run?.jobs ?? []) {
      for (const { id } of job_submissions) this.#numbers.set(id, job_spec.replica_num ?? 0);
    }
  }
}
