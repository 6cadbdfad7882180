import { setTimeout as delay } from 'node:timers/promises';
import { withTimeout } from '@dstack/contract/with-timeout';
import type Docker from 'dockerode';
import type { KnownJobs } from '../executor/executor.ts';
import type { EventLogger } from '../host/log.ts';
import { AGENT_LABEL, JOB_LABEL } from './container-options.ts';
import { statusOf } from './engine-error.ts';
import { inTime, type Patience } from './in-time.ts';

/** How long a starting agent waits until all is swept; the rest is done behind it. */
const SWEEP_MS = 10_000;
const FIRST_DELAY_MS = 30_000;
const LONGEST_DELAY_MS = 600_000;

export interface LeftoversOptions {
  readonly docker: Docker;
  readonly log: EventLogger;
  readonly patience?: Pick<Patience, 'ms' | 'slowMs'>;
}

/** The containers of this agent that belong to no job any more. */
export class Leftovers {
  readonly #agentId: string;
  readonly #options: LeftoversOptions;
  readonly #closing = new AbortController();

  constructor(agentId: string, options: LeftoversOptions) {
    this.#agentId = agentId;
    this.#options = options;
  }

  close(): void {
    this.#closing.abort();
  }

  /** Returns soon: a daemon that does not answer must not keep the agent from its jobs. */
  async sweep(known: KnownJobs): Promise<void> {
    const { log, patience } = this.#options;
    const onTimeout = () => log.info('containers of no job are removed later');
    await withTimeout(() => this.#sweepAll(known), { ms: patience?.ms ?? SWEEP_MS, onTimeout });
  }

  /** One attempt at a time, until one succeeds. Never rejects. */
  async #sweepAll(known: KnownJobs): Promise<void> {
    const { signal } = this.#closing;
    for (let ms = FIRST_DELAY_MS; !signal.aborted; ms = Math.min(2 * ms, LONGEST_DELAY_MS)) {
      try {
        await this.#removeUnknown(known);
        return;
      } catch (error) {
        this.#options.log.error('removing containers of no job failed, will be tried again', error);
        await delay(ms, undefined, { signal, ref: false }).catch(() => {});
      }
    }
  }

  async #removeUnknown(known: KnownJobs): Promise<void> {
    const { docker, log, patience } = this.#options;
    const filters = { label: [`${AGENT_LABEL}=${this.#agentId}`] };
    const list = (abortSignal: AbortSignal) =>
      docker.listContainers({ all: true, filters, abortSignal });
    for (const { Id, Labels } of await inTime('listContainers', list, patience)) {
      const jobId = Labels[JOB_LABEL] ?? '';
      if (known.has(jobId) || this.#closing.signal.aborted) continue;
      log.info('removing a container that belongs to no job', { job: jobId, container: Id });
      const remove = (abandoned: AbortSignal) =>
        removeContainer(docker.getContainer(Id), abandoned);
      await inTime('removeContainer', remove, patience);
    }
  }
}

/** A removal that the daemon has begun goes on when `abortSignal` is aborted. */
export async function removeContainer(
  container: Docker.Container,
  abortSignal?: AbortSignal,
): Promise<void> {
  try {
    await container.remove({ force: true, v: true, ...(abortSignal && { abortSignal }) });
  } catch (error) {
    // 404: already removed; 409: being removed.
    if (statusOf(error) !== 404 && statusOf(error) !== 409) throw error;
  }
}
