import type { Id, JobRecord } from '@dstack/core';
import type { Store } from '@dstack/store';
import type { LogStreamRef } from '../logs/log-store.ts';

/** The facts about a job that the pushes of its host need, kept while reports about it arrive. */
export interface JobStream {
  readonly ref: LogStreamRef;
  readonly runId: Id;
}

/** The most jobs kept; the least recently used one is deleted first. */
const REMEMBERED = 10_000;

interface Known {
  readonly stream: JobStream;
  readonly hostId: string;
}

/**
 * Finds the destination of a job's output. A job's names and its host never change, so an answer is
 * kept. Reports of a host about jobs of other hosts are ignored.
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

  /** The host of its instance, while it has one; else the host that has reported it before. */
  async #hostOf({ id, instanceId }: JobRecord): Promise<string | null> {
    if (instanceId === null) {
      return (await this.#store.reports.byJobs([id]))[0]?.hostId ?? null;
    }
    return (await this.#store.instances.byIds([instanceId]))[0]?.hostId ?? null;
  }
}
