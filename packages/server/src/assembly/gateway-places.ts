/** The places for gateways on hosts. */
import { type GatewayPort, hostGateways } from '@dstack/backends';
import type { Store } from '@dstack/store';
import { type GatewayPlaces, gatewayHosts } from '../gateways/gateway-hosts.ts';
import type { AgentAccess, Hosts } from '../hosts/hosts.ts';

export function hostPlaces(
  store: Store,
  hosts: Hosts,
  serverHost: { readonly access: AgentAccess } | null,
): GatewayPlaces {
  return gatewayHosts({
    store,
    client: (hostId) => hosts.client(hostId),
    isElsewhere: (hostId) => hosts.isElsewhere(hostId),
    serverHostId: serverHost?.access.hostId ?? null,
  });
}

/** Returns the gateway port of a backend for gateways on hosts. */
export function hostGatewayPort(...of: Parameters<typeof hostPlaces>): GatewayPort {
  return hostGateways(hostPlaces(...of));
}
