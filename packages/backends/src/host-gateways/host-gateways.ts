import type { Id } from '@dstack/core';
import type { GatewayOrder, GatewayPort } from '../base/gateway-port.ts';

/** The hosts on which gateways may be, and the programs there. */
export interface GatewayHosts {
  /**
   * The host for a replica: of the fleet that `region` names, or the server host. Throws
   * `BackendError`.
   */
  choose(order: Pick<GatewayOrder, 'replicaId' | 'region' | 'instanceType'>): Promise<string>;
  /** Whether the host still belongs to its fleet. */
  exists(hostId: string): Promise<boolean>;
  /** Ends the program of a replica; one that does not run has ended. Throws `BackendError`. */
  remove(hostId: string, replicaId: Id): Promise<void>;
}

/**
 * Gateways on machines that exist already. Nothing is created but the program of the gateway, which
 * the server starts through the link to the agent of the host.
 */
export function hostGateways(hosts: GatewayHosts): GatewayPort {
  return {
    create: async (order) => ({ id: await hosts.choose(order), data: order.replicaId }),
    observe: async ({ id }) =>
      (await hosts.exists(id))
        ? { state: 'ready', machine: null, access: null }
        : { state: 'missing' },
    release: async ({ id, data }) => {
      if (data !== null && (await hosts.exists(id))) await hosts.remove(id, data);
      return 'released';
    },
    // Only the user can list the machines.
    list: async () => [],
  };
}
