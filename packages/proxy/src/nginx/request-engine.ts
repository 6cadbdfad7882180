import type { AccessPages } from '@dstack/contract/agent';

/** A process that answers requests: a worker, or nginx itself. */
export interface RequestEngine {
  /** Sends no more requests to the job; resolves when it answers none. */
  leave(jobId: string): Promise<unknown>;
  /** The latest requests of a service; `after`: what was read last, by process. */
  access(runId: string, after: Readonly<Record<string, number>>): Promise<AccessPages>;
}
