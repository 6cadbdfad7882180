import type { AccessRecord } from '@dstack/contract/wire';
import type { Cli, Connection } from '../../context.ts';
import { outlast, reportAway } from '../../outlast.ts';

/** A job that the server did not list is looked for again after this time, in milliseconds. */
const AGAIN_MS = 5000;

/** The numbers of the replicas of a run, by their jobs; new ones are read when they have answered a request. */
export class ReplicaNumbers {
  readonly #connection: Connection;
  readonly #run: string;
  readonly #cli: Cli;
  readonly #numbers = new Map<string, number>();
  /** Jobs that were looked for, found or not. */
  readonly #sought = new Set<string>();
  #readAt = Number.NEGATIVE_INFINITY;

  constructor(connection: Connection, run: string, cli: Cli) {
    this.#connection = connection;
    this.#run = run;
    this.#cli = cli;
  }

  /** Null: no replica has answered, or it is not known which one. */
  of({ job_id }: AccessRecord): number | null {
    return this.#numbers.get(job_id ?? '') ?? null;
  }

  /** Call it before `of`. Waits for a server that does not answer. */
  async learn(records: readonly AccessRecord[]): Promise<void> {
    const jobs = records.flatMap(({ job_id }) => job_id ?? []);
    const missing = jobs.filter((id) => !this.#numbers.has(id));
    const isAwaited = performance.now() - this.#readAt < AGAIN_MS;
    if (missing.every((id) => isAwaited && this.#sought.has(id))) return;
    const run = await outlast(
      this.#cli,
      () => this.#read(),
      this.#cli.signal,
      reportAway(this.#cli),
    );
    this.#readAt = performance.now();
    for (const id of missing) this.#sought.add(id);
    for (const { job_spec, job_submissions } of run?.jobs ?? []) {
      for (const { id } of job_submissions) this.#numbers.set(id, job_spec.replica_num ?? 0);
    }
  }

  async #read() {
    const { ResourceNotExistsError } = await import('@dstack/client');
    try {
      return await this.#connection.project.runs.get({ run_name: this.#run });
    } catch (error) {
      // Requests of a run that has been deleted are of no replica.
      if (error instanceof ResourceNotExistsError) return null;
      throw error;
    }
  }
}
