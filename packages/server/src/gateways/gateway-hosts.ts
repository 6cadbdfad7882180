import {
  BackendError,
  type GatewayCondition,
  type GatewayHosts,
  NoAnswerError,
} from '@dstack/backends';
import { isInstanceActive } from '@dstack/contract/status';
import { type GatewayRecord, type GatewayReplicaRecord, LOCAL_REGION_NAME } from '@dstack/core';
import type { Store } from '@dstack/store';
import { type AgentClient, AgentRefusal, AgentUnreachable } from '../hosts/agent-client.ts';

export interface GatewayHostsOptions {
  readonly store: Pick<Store, 'gateways' | 'fleets' | 'instances'>;
  readonly client: (hostId: string) => AgentClient | null;
  /** Whether another server is linked to the host. */
  readonly isElsewhere: (hostId: string) => Promise<boolean>;
  /** Id of the server host; null = this server has none. */
  readonly serverHostId: string | null;
}

export interface GatewayPlaces extends GatewayHosts {
  /** Whether a replica is on a host that the configuration allows now. */
  condition(
    replica: Pick<GatewayReplicaRecord, 'instanceId'>,
    gateway: Pick<GatewayRecord, 'configuration'>,
  ): Promise<GatewayCondition>;
}

/** The SSH hosts of fleets, and the server host, as places for gateways: one on each host. */
export function gatewayHosts(options: GatewayHostsOptions): GatewayPlaces {
  const { store, client, isElsewhere, serverHostId } = options;
  const isConnected = async (hostId: string) =>
    client(hostId) !== null || (await isElsewhere(hostId));
  /** Chosen, but perhaps not stored yet. */
  const chosen = new Map<string, string>();
  const isTaken = async (hostId: string, replicaId: string) => {
    const placed = await store.gateways.placedReplicas();
    const others = placed.filter((one) => one.id !== replicaId && one.instanceId === hostId);
    const promised = [...chosen].some(([id, host]) => id !== replicaId && host === hostId);
    return others.length > 0 || (promised && !(await hasEnded(hostId)));
  };
  /** Forgets hosts that were chosen for replicas that have ended. */
  const hasEnded = async (hostId: string) => {
    for (const [id, host] of chosen) {
      if (host !== hostId) continue;
      const replica = await store.gateways.replicaById(id);
      if (replica && !replica.deleted) return false;
      chosen.delete(id);
    }
    return true;
  };
  return {
    async choose({ replicaId, region, instanceType }) {
      if (region === LOCAL_REGION_NAME) {
        if (serverHostId === null) {
          throw new BackendError("This server's machine runs no agent, so it cannot be a gateway");
        }
        if (await isTaken(serverHostId, replicaId)) {
          throw new BackendError("The server's machine has a gateway already");
        }
        chosen.set(replicaId, serverHostId);
        return serverHostId;
      }
      const fleet = await fleetOf(store, replicaId, region);
      const hosts = fleet.instances.filter(
        ({ status, name, hostId }) =>
          isInstanceActive(status) &&
          hostId !== null &&
          (instanceType === null || hostNames(name, region).includes(instanceType)),
      );
      if (hosts.length === 0) {
        const what = instanceType === null ? 'no host in service' : `no host ${instanceType}`;
        throw new BackendError(`Fleet ${region} has ${what}`);
      }
      for (const { hostId } of hosts) {
        if (hostId === null || !(await isConnected(hostId)) || (await isTaken(hostId, replicaId)))
          continue;
        chosen.set(replicaId, hostId);
        return hostId;
      }
      const names = hosts.map(({ name }) => name).join(', ');
      throw new BackendError(
        `Each host of fleet ${region} has a gateway or is not connected: ${names}`,
      );
    },
    async condition({ instanceId }, { configuration: { region, instance_type: wanted } }) {
      const [instance] = await store.instances.byIds([instanceId ?? '']);
      const isOther =
        wanted !== null && instance && !hostNames(instance.name, region).includes(wanted);
      const outdated = isOther ? `The gateway is on host ${wanted} now` : null;
      return { outdated, unreachable: null };
    },
    async exists(hostId) {
      if (hostId === serverHostId) return true;
      const [instance] = await store.instances.byIds([hostId]);
      return instance !== undefined && isInstanceActive(instance.status);
    },
    async remove(hostId, replicaId) {
      const agent = client(hostId);
      if (agent === null) throw new NoAnswerError(`Host ${hostId} is not connected`);
      try {
        await agent.deleteGateway(replicaId);
      } catch (error) {
        if (error instanceof AgentUnreachable) throw new NoAnswerError(error.message);
        if (error instanceof AgentRefusal && error.code === 'not_found') return;
        throw error;
      } finally {
        chosen.delete(replicaId);
      }
    },
  };
}

async function fleetOf(
  { gateways, fleets }: GatewayHostsOptions['store'],
  replicaId: string,
  name: string,
) {
  const replica = await gateways.replicaById(replicaId);
  const view = replica && (await gateways.byId(replica.gatewayId));
  const fleet = view && (await fleets.byName(view.gateway.projectId, name));
  if (!fleet) throw new BackendError(`The project has no fleet ${name}`);
  return fleet;
}

/** `<fleet>-0`, and what comes after the fleet's name. */
function hostNames(name: string, fleet: string): string[] {
  return [name, name.startsWith(`${fleet}-`) ? name.slice(fleet.length + 1) : name];
}
