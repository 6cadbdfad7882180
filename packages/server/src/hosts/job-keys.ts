import type { JobKeys } from '@dstack/contract/agent';
import type { AccessSubject, Store } from '@dstack/store';
import type { Logger } from '../process/logging.ts';
import type { AgentClient } from './agent-client.ts';
import { HostPushes } from './host-pushes.ts';
import { keysForAgent } from './run-keys.ts';

export interface JobKeyUpdatesOptions {
  readonly store: Pick<Store, 'access' | 'jobs' | 'users' | 'projects' | 'gateways'>;
  /** Hosts that this server has a link to. */
  readonly hosts: () => readonly string[];
  readonly client: (hostId: string) => Pick<AgentClient, 'replaceKeys'> | null;
  readonly log: Logger;
  /** Milliseconds until a push that failed is tried again; doubled each time. */
  readonly retryMs?: number;
}

/**
 * Keeps the keys that open jobs up to date: an agent gets the keys of all jobs on its host when a link
 * is made, and again when the access of an owner changes.
 */
export class JobKeyUpdates {
  readonly #options: JobKeyUpdatesOptions;
  readonly #pushes: HostPushes;
  readonly #unlisten: () => void;

  constructor(options: JobKeyUpdatesOptions) {
    this.#options = options;
    this.#pushes = new HostPushes({
      what: 'keys of jobs',
      push: (hostId) => this.#pushOnce(hostId),
      isLinked: (hostId) => options.client(hostId) !== null,
      log: options.log,
      retryMs: options.retryMs,
    });
    this.#unlisten = options.store.access.onChanged((subject) => {
      this.#accessChanged(subject).catch((error) => {
        options.log.warn(
          { err: error },
          'hosts of changed keys not found; pushing keys to all hosts',
        );
        this.#pushAll();
      });
    });
  }

  close(): void {
    this.#unlisten();
    this.#pushes.close();
  }

  /** Sends the present keys of all jobs on the host to its agent. */
  push(hostId: string): void {
    this.#pushes.push(hostId);
  }

  async #accessChanged(subject: AccessSubject | null): Promise<void> {
    if (subject === null) return this.#pushAll();
    const linked = new Set(this.#options.hosts());
    const concerned = await this.#options.store.jobs.hostsOf(subject);
    for (const hostId of concerned) if (linked.has(hostId)) this.push(hostId);
  }

  #pushAll(): void {
    for (const hostId of this.#options.hosts()) this.push(hostId);
  }

  async #pushOnce(hostId: string): Promise<void> {
    const views = await this.#options.store.jobs.viewsOnHost(hostId);
    const keys = views.map(
      async ({ job, run }) => [job.id, await keysForAgent(this.#options.store, run)] as const,
    );
    const jobs: JobKeys['jobs'] = Object.fromEntries(await Promise.all(keys));
    // Without a link nothing is sent: all keys are pushed when one is made.
    if (views.length > 0) await this.#options.client(hostId)?.replaceKeys({ jobs });
  }
}
