import { accessDenied } from '@dstack/contract/api';
import { isJobFinished } from '@dstack/contract/status';
import type { Id, JobRecord, Timestamp } from '@dstack/core';
import { SECOND } from '@dstack/core';
import { findKey, type PublicKey, parsePublicKey } from '@dstack/ssh';
import type { JobView, Store } from '@dstack/store';
import type { AdmittedCaller } from '../access/access-watch.ts';
import { keysOfRun } from '../hosts/run-keys.ts';
import { jobIdOf } from './job-id.ts';

/**
 * How long the output of an ended job can still be read through the entry: clients of 0.21 and 0.22
 * read the output of a short run after its end. Nothing else of an ended job can be reached.
 */
const READ_AFTER_END = 60 * SECOND;

/** A user with a key that opens the job. */
export interface EntryUser extends AdmittedCaller {
  readonly jobId: Id;
  readonly runId: Id;
}

export interface JobLoginsOptions {
  readonly store: Pick<Store, 'jobs' | 'users' | 'projects'>;
  readonly now: () => Timestamp;
}

/** Decides which key opens which job: the keys that open the run, while the job can be entered. */
export class JobLogins {
  readonly #options: JobLoginsOptions;

  constructor(options: JobLoginsOptions) {
    this.#options = options;
  }

  /** Null: this key does not open this job. `login`: the id of the job. */
  async find(login: string, blob: Buffer): Promise<(PublicKey & { readonly jobId: Id }) | null> {
    const jobId = jobIdOf(login);
    if (jobId === null) return null;
    const view = await this.#enterable(jobId);
    const key = view && (await this.#keyOf(view, blob));
    return key && { ...key, jobId };
  }

  /** The owner of the job's run. Throws `ApiError` if the key does not open the job any more. */
  async check(jobId: Id, blob: Buffer): Promise<EntryUser> {
    const view = await this.#enterable(jobId);
    if (!view || !(await this.#keyOf(view, blob))) throw accessDenied();
    const { job, run } = view;
    const { userId, projectId } = run;
    return { jobId, runId: run.id, userId, projectId, expiresAt: closingTime(job) };
  }

  async #enterable(jobId: Id): Promise<JobView | null> {
    const view = await this.#options.store.jobs.byId(jobId);
    if (!view) return null;
    const until = closingTime(view.job);
    return until === null || this.#options.now() < until ? view : null;
  }

  async #keyOf({ run }: JobView, blob: Buffer): Promise<PublicKey | null> {
    const lines = await keysOfRun(this.#options.store, run);
    const keys = lines.flatMap((line) => {
      const key = parsePublicKey(line);
      // Agents log the lines that they cannot use.
      return key instanceof Error ? [] : [key];
    });
    return findKey(keys, blob);
  }
}

/** Null: not known yet. */
function closingTime({ status, finishedAt, statusChangedAt }: JobRecord): Timestamp | null {
  return isJobFinished(status) ? (finishedAt ?? statusChangedAt) + READ_AFTER_END : null;
}
