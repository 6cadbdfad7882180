import {
  BackendError,
  type GatewayCondition,
  type GatewayPort,
  type InstanceAccess,
  type Observation,
} from '@dstack/backends';
import { errorMessage } from '@dstack/contract/error-message';
import { capabilitiesOf, type GatewayReplicaRecord, gatewayBackend, type Id } from '@dstack/core';
import { type Channel, ChannelSocket } from '@dstack/ssh';
import type { Store } from '@dstack/store';
import type { Hosts } from '../hosts/hosts.ts';
import type { ProjectBackends } from '../offers/project-backends.ts';
import type { GatewayHostState } from './gateway-link.ts';
import { gatewayOrder } from './gateway-order.ts';
import type { SshGatewayHosts } from './ssh-gateway-hosts.ts';

export interface GatewayInstancesOptions {
  readonly store: Pick<Store, 'gateways'>;
  readonly serverId: string;
  readonly find: ProjectBackends['find'];
  readonly hosts: Pick<Hosts, 'add' | 'delete' | 'has'>;
  readonly sshHosts: Pick<SshGatewayHosts, 'link' | 'forget'>;
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

  /** Null: there is nothing to look after. Throws `BackendError`. */
  async maintain(replica: GatewayReplicaRecord): Promise<GatewayCondition | null> {
    const { store, serverId } = this.#options;
    const view = await store.gateways.byId(replica.gatewayId);
    const port = await this.#port(replica);
    if (view === null || port.maintain === undefined) return null;
    const handle = handleOf(replica);
    const condition = await port.maintain(handle, gatewayOrder(serverId, replica, view));
    const seen = await port.observe(handle);
    // Shared resources that were created again may have a new address, and another gateway the old one.
    if (seen.state === 'ready') this.#remember(replica, seen);
    if (seen.state !== 'pending') return condition;
    return { ...condition, unreachable: condition.unreachable ?? seen.text };
  }

  async ports(replica: GatewayReplicaRecord) {
    return (await this.#port(replica)).ports?.(handleOf(replica)) ?? null;
  }

  /** The replica is ending: ends the link, if this server has it. */
  async forget({ id }: Pick<GatewayReplicaRecord, 'id'>): Promise<void> {
    this.#addresses.delete(id);
    const { hosts } = this.#options;
    if (hosts.has(id)) await hosts.delete(id);
    this.#options.sshHosts.forget(id);
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
        // A user may have deleted the shared resources that it waits for: `maintain` creates them again.
        await this.#maintainPending(replica, port);
        return seen;
      case 'ready':
        this.#remember(replica, seen);
        return await this.#link(replica, port, seen.access);
    }
  }

  async #maintainPending(replica: GatewayReplicaRecord, { maintain }: GatewayPort): Promise<void> {
    const { store, serverId } = this.#options;
    const view = await store.gateways.byId(replica.gatewayId);
    if (view) await maintain?.(handleOf(replica), gatewayOrder(serverId, replica, view));
  }

  #remember({ id }: GatewayReplicaRecord, { machine }: Extract<Observation, { state: 'ready' }>) {
    this.#addresses.set(id, machine?.provisioningData.hostname ?? null);
  }

  async #link(
    replica: GatewayReplicaRecord,
    { dial }: GatewayPort,
    access: InstanceAccess | null,
  ): Promise<GatewayHostState> {
    if (access?.kind === 'ssh') return await this.#linkBySsh(replica, access);
    if (dial === undefined || access?.kind !== 'backend') return { state: 'ready' };
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
    return { state: 'ready' };
  }

  async #linkBySsh(
    { id, gatewayId }: GatewayReplicaRecord,
    access: Extract<InstanceAccess, { readonly kind: 'ssh' }>,
  ): Promise<GatewayHostState> {
    const { store, sshHosts } = this.#options;
    const view = await store.gateways.byId(gatewayId);
    if (view === null) return { state: 'missing', text: 'The gateway was deleted' };
    const stage = await sshHosts.link(id, view.gateway.projectId, access);
    return stage === null ? { state: 'ready' } : { state: 'pending', text: stage };
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
