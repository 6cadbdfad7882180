import type { Backend } from '@dstack/backends';
import { type BackendName, capabilitiesOf, type Id } from '@dstack/core';
import type { Store } from '@dstack/store';
import type { Logger } from '../process/logging.ts';
import type { AgentClient } from './agent-client.ts';
import { HostPushes } from './host-pushes.ts';

export interface AgentLeasesOptions {
  readonly store: Pick<Store, 'instances'>;
  readonly backend: (projectId: Id, name: BackendName) => Promise<Backend | null>;
  /** How long a machine lives without the server; null = until the server ends it. */
  readonly seconds: number | null;
  readonly client: (hostId: string) => Pick<AgentClient, 'lease'> | null;
  readonly log: Logger;
  readonly retryMs?: number;
}

/**
 * Pushes a lease to the agents of machines that a provider has created for this server, whenever a
 * link to one is made: without the server, nothing else would end them. SSH hosts and the server
 * host have none.
 */
export class AgentLeases {
  readonly #options: AgentLeasesOptions;
  readonly #pushes: HostPushes;

  constructor(options: AgentLeasesOptions) {
    this.#options = options;
    const { client, log, retryMs } = options;
    this.#pushes = new HostPushes({
      ...{ what: 'lease', log, retryMs },
      push: (hostId) => this.#push(hostId),
      isLinked: (hostId) => client(hostId) !== null,
    });
  }

  connected(hostId: string): void {
    this.#pushes.push(hostId);
  }

  close(): void {
    this.#pushes.close();
  }

  async #push(hostId: string): Promise<void> {
    const { store, backend: find, seconds, client } = this.#options;
    const [instance] = await store.instances.onHost(hostId);
    if (!instance?.backend || capabilitiesOf(instance.backend).owner !== 'provider') return;
    const backend = await find(instance.projectId, instance.backend);
    const ending = backend?.instances?.leaseEnding;
    if (ending !== undefined) await client(hostId)?.lease({ seconds, ending });
  }
}
