import type Docker from 'dockerode';
import type { KnownJobs } from '../executor/executor.ts';
import type { EventLogger } from '../host/log.ts';
import { AGENT_LABEL, JOB_LABEL } from './container-options.ts';
import { statusOf } from './engine-error.ts';
import { inTime, type Patience } from './in-time.ts';

/** How long a starting agent waits for the daemon before it goes on without having swept. */
const SWEEP_MS = 10_000;
const SWEEP_AGAIN_MS = 30_000;

export interface LeftoversOptions {
  readonly docker: Docker;
  readonly log: EventLogger;
  readonly patience?: Pick<Patience, 'ms' | 'slowMs'>;
}

/** The containers of this agent that belong to no job any more. */
export class Leftovers {
  readonly #agentId: string;
  readonly #options: LeftoversOptions;
  #again: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(agentId: string, options: LeftoversOptions) {
    this.#agentId = agentId;
    this.#options = options;
  }

  close(): void {
    clearTimeout(this.#again);
    this.#isClosed = true;
  }

  /** A daemon that does not answer must not keep the agent from its jobs, so it is asked again later. */
  async sweep(known: KnownJobs): Promise<void> {
    try {
      await inTime('listContainers', this.#removeUnknown(known), {
        ms: SWEEP_MS,
        ...this.#options.patience,
      });
    } catch (error) {
      this.#options.log.error('removing containers of no job failed, will be tried again', error);
      if (this.#isClosed) return;
      this.#again = setTimeout(() => void this.sweep(known), SWEEP_AGAIN_MS);
      this.#again.unref();
    }
  }

  async #removeUnknown(known: KnownJobs): Promise<void> {
    const { docker, log } = this.#options;
    const filters = { label: [`${AGENT_LABEL}=${this.#agentId}`] };
    for (const { Id, Labels } of await docker.listContainers({ all: true, filters })) {
      const jobId = Labels[JOB_LABEL] ?? '';
      if (known.has(jobId)) continue;
      log.info('removing a container that belongs to no job', { job: jobId, container: Id });
      await removeContainer(docker.getContainer(Id));
    }
  }
}

export async function removeContainer(container: Docker.Container): Promise<void> {
  try {
    await container.remove({ force: true, v: true });
  } catch (error) {
    // 404: already removed; 409: being removed.
    if (statusOf(error) !== 404 && statusOf(error) !== 409) throw error;
  }
}
