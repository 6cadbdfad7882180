import { BackendError, type GatewayPort, type InstanceAccess } from '@dstack/backends';
import { errorMessage } from '@dstack/contract/error-message';
import { capabilitiesOf, type GatewayReplicaRecord, gatewayBackend, type Id } from '@dstack/core';
import type { Store } from '@dstack/store';
import type { Hosts } from '../hosts/hosts.ts';
import { type Channel, ChannelSocket } from '../hosts/ssh/channel-socket.ts';
import type { ProjectBackends } from '../offers/project-backends.ts';
import type { GatewayHostState } from './gateway-link.ts';

export interface GatewayInstancesOptions {
  readonly store: Pick<Store, 'gateways'>;
  readonly find: ProjectBackends['find'];
  readonly hosts: Pick<Hosts, 'add' | 'delete' | 'has'>;
}

/**
 * Machines that a backend has made for gateways alone. Their agents are linked under the ids of the
 * replicas, once the machines are ready.
 */
export class GatewayInstances {
  readonly #options: GatewayInstancesOptions;
  readonly #addresses = new Map<Id, string | null>();

  constructor(options: GatewayInstancesOptions) {
    this.#options = options;
  }

  has(replica: GatewayReplicaRecord): boolean {
    const backend = backendOf(replica);
    return backend !== null && capabilitiesOf(backend).owner === 'provider';
  }

  /** Undefined: no such machine has been ready yet. */
  address(replicaId: Id): string | null | undefined {
    return this.#addresses.get(replicaId);
  }

  async observe(replica: GatewayReplicaRecord): Promise<GatewayHostState> {
    try {
      return await this.#observe(replica);
    } catch (error) {
      return { state: 'pending', text: errorMessage(error) };
    }
  }

  async ports(replica: GatewayReplicaRecord) {
    return (await this.#port(replica)).ports?.(handleOf(replica)) ?? null;
  }

  /** The replica is ending: ends the link, if this server has it. */
  async forget({ id }: Pick<GatewayReplicaRecord, 'id'>): Promise<void> {
    this.#addresses.delete(id);
    const { hosts } = this.#options;
    if (hosts.has(id)) await hosts.delete(id);
  }

  async #observe(replica: GatewayReplicaRecord): Promise<GatewayHostState> {
    const port = await this.#port(replica);
    const seen = await port.observe(handleOf(replica));
    switch (seen.state) {
      case 'missing':
        return { state: 'missing', text: 'Its machine was removed' };
      case 'interrupted':
        return { state: 'refused', text: seen.text };
      case 'pending':
        return seen;
      case 'ready':
        this.#addresses.set(replica.id, seen.machine?.provisioningData.hostname ?? null);
        await this.#link(replica, port, seen.access);
        return { state: 'ready' };
    }
  }

  async #link(
    replica: GatewayReplicaRecord,
    { dial }: GatewayPort,
    access: InstanceAccess | null,
  ): Promise<void> {
    if (dial === undefined || access?.kind !== 'backend') return;
    const { token } = access;
    const open = async (): Promise<Channel> => {
      const stream = await dial(handleOf(replica), token);
      return Object.assign(stream, { close: () => stream.destroy() });
    };
    await this.#options.hosts.add({
      ...{ hostId: replica.id, token },
      dial: () => new ChannelSocket(open),
      prepare: async () => {},
    });
  }

  async #port({ gatewayId, backend, region }: GatewayReplicaRecord): Promise<GatewayPort> {
    const view = await this.#options.store.gateways.byId(gatewayId);
    const name = backendOf({ backend, region });
    const found = view && name && (await this.#options.find(view.gateway.projectId, name));
    if (found?.gateways) return found.gateways;
    throw new BackendError(`backend ${name} is not configured any more`);
  }
}

function backendOf({ backend, region }: Pick<GatewayReplicaRecord, 'backend' | 'region'>) {
  return backend && gatewayBackend({ backend, region: region ?? '' });
}

function handleOf({ instanceId, backendData }: GatewayReplicaRecord) {
  return { id: instanceId ?? '', data: backendData };
}
