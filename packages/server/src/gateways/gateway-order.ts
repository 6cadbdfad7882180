/** The order for the machine of a gateway replica, which a backend carries out. */
import type { GatewayOrder } from '@dstack/backends';
import type { GatewayReplicaRecord } from '@dstack/core';
import type { GatewayView } from '@dstack/store';

export function gatewayOrder(
  server: string,
  replica: GatewayReplicaRecord,
  { gateway, projectName }: GatewayView,
): Omit<GatewayOrder, 'key'> {
  const { configuration } = gateway;
  return {
    replicaId: replica.id,
    owner: {
      ...{ server, project: projectName, fleet: '' },
      instance: `${gateway.name}-${replica.replicaNum}`,
    },
    gateway: { id: gateway.id, name: gateway.name },
    domain: gateway.wildcardDomain,
    settings: configuration.backend_settings ?? null,
    region: replica.region ?? configuration.region,
    instanceType: configuration.instance_type,
    isPublic: configuration.public_ip,
    authorizedKeys: [],
    tags: configuration.tags ?? {},
  };
}
