import type { Id, JobRecord } from '@dstack/core';
import type { Store } from '@dstack/store';
import type { LogStreamRef } from '../logs/log-store.ts';

/** What a host's pushes need to know about a job, kept while the job is spoken of. */
export interface JobStream {
  readonly ref: LogStreamRef;
  readonly runId: Id;
}

/** Most jobs remembered; the least recently used one is forgotten first. */
const REMEMBERED = 10_000;

interface Known {
  readonly stream: JobStream;
  readonly hostId: string;
}

/**
 * Finds where a job's output belongs. A job's names and its host never change, so an answer is kept.
 * A host is believed about its own jobs only.
 */
export class JobStreams {
  readonly #store: Store;
  readonly #known = new Map<Id, Known>();

  constructor(store: Store) {
    this.#store = store;
  }

  /** Null: the server has no such job on this host. */
  async find(hostId: string, jobId: Id): Promise<JobStream | null> {
    const known = this.#known.get(jobId) ?? (await this.#look(jobId));
    if (!known) return null;
    this.#known.delete(jobId);
    this.#known.set(jobId, known);
    if (this.#known.size > REMEMBERED) {
      for (const oldest of this.#known.keys()) {
        this.#known.delete(oldest);
        break;
      }
    }
    return known.hostId === hostId ? known.stream : null;
  }

  async #look(jobId: Id): Promise<Known | null> {
    const view = await this.#store.jobs.byId(jobId);
    const hostId = view && (await this.#hostOf(view.job));
    if (!view || !hostId) return null;
    return {
      hostId,
      stream: {
        ref: { project: view.projectName, run: view.run.name, jobId },
        runId: view.run.id,
      },
    };
  }

  /** That of its instance, while it has one; else the one that has reported it before. */
  async #hostOf({ id, instanceId }: JobRecord): Promise<string | null> {
    if (instanceId === null) {
      return (await this.#store.reports.byJobs([id]))[0]?.hostId ?? null;
    }
    return (await this.#store.instances.byIds([instanceId]))[0]?.hostId ?? null;
  }
}
