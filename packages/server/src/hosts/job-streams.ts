import type { Id } from '@dstack/core';
import type { Store } from '@dstack/store';
import type { LogStreamRef } from '../logs/log-store.ts';

/** What a host's pushes need to know about a job, kept while the job is spoken of. */
export interface JobStream {
  readonly ref: LogStreamRef;
  readonly runId: Id;
}

/** Most jobs remembered; the least recently used one is forgotten first. */
const REMEMBERED = 10_000;

/** Finds where a job's output belongs. A job's names never change, so an answer is kept. */
export class JobStreams {
  readonly #store: Store;
  readonly #known = new Map<Id, JobStream>();

  constructor(store: Store) {
    this.#store = store;
  }

  /** Null: the server has no such job. */
  async find(jobId: Id): Promise<JobStream | null> {
    const known = this.#known.get(jobId);
    if (known) {
      this.#known.delete(jobId);
      this.#known.set(jobId, known);
      return known;
    }
    const view = await this.#store.jobs.byId(jobId);
    if (!view) return null;
    const stream: JobStream = {
      ref: { project: view.projectName, run: view.run.name, jobId },
      runId: view.run.id,
    };
    this.#known.set(jobId, stream);
    if (this.#known.size > REMEMBERED) {
      for (const oldest of this.#known.keys()) {
        this.#known.delete(oldest);
        break;
      }
    }
    return stream;
  }
}
