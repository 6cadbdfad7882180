import type { HostFacts } from '@dstack/contract/agent';
import { capabilitiesOf, type HostInput, hostCapacity, type Id } from '@dstack/core';
import { BackendError } from '../base/errors.ts';
import type { GatewayPort } from '../base/gateway-port.ts';
import type { Observation } from '../base/instance-port.ts';
import type { Backend } from '../base/port.ts';
import type { VolumePort } from '../base/volume-port.ts';

export interface RemoteOptions {
  /**
   * The host of a fleet from its configuration, with its number of blocks; null = the fleet no
   * longer contains it.
   */
  readonly hostOf: (instanceId: Id) => Promise<Omit<HostInput, 'facts'> | null>;
  /**
   * Removes the agent; throws `BackendError` if it cannot. A host without an agent counts as done.
   */
  readonly removeAgent: (instanceId: Id) => Promise<void>;
  /** Directories of the hosts. */
  readonly volumes: VolumePort | null;
  /** Gateways on the hosts. */
  readonly gateways?: GatewayPort;
}

/**
 * SSH hosts: existing machines that a fleet names. Creating an instance adopts the host, and
 * releasing it removes our agent; the agent's report describes the machine.
 */
export function remoteBackend({ hostOf, removeAgent, volumes, gateways }: RemoteOptions): Backend {
  return {
    name: 'remote',
    capabilities: capabilitiesOf('remote'),
    // An SSH host has no offer: it is an instance of its fleet only.
    offers: async () => ({ offers: [], notes: [] }),
    signalsCapacity: true,
    instances: {
      create: async ({ instanceId }) => {
        if ((await hostOf(instanceId)) === null) {
          throw new BackendError('its fleet no longer names this host');
        }
        return {
          handle: { id: instanceId, data: null },
          hostId: instanceId,
          provisioningData: null,
        };
      },
      observe: async ({ id }, { facts }) => {
        const host = await hostOf(id);
        return host === null ? { state: 'missing' } : described(host, facts);
      },
      // The link to the agent reports changes.
      watch: () => () => {},
      release: async ({ id }) => {
        await removeAgent(id);
        return 'released';
      },
      // Only the user can list the machines.
      list: async () => [],
    },
    volumes,
    groups: null,
    ...(gateways && { gateways }),
    check: async () => [],
  };
}

function described(host: Omit<HostInput, 'facts'>, facts: HostFacts | null): Observation {
  if (facts === null) return { state: 'ready', machine: null, access: null };
  const answer = hostCapacity({ ...host, facts });
  if (!answer.ok) return { state: 'interrupted', reason: 'refused', text: answer.message };
  const { offer, provisioningData, totalBlocks } = answer;
  return { state: 'ready', machine: { offer, provisioningData, totalBlocks }, access: null };
}
