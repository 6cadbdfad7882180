/** The order for the machine of a gateway replica, which a backend carries out. */
import type { GatewayOrder } from '@dstack/backends';
import type { GatewayRecord, GatewayReplicaRecord } from '@dstack/core';
import type { GatewayView } from '@dstack/store';

/** `authorizedKeys`: that may log in to its machine; only its creation needs them. */
export function gatewayOrder(
  server: string,
  replica: GatewayReplicaRecord,
  { gateway, projectName }: GatewayView,
  authorizedKeys: readonly string[] = [],
): Omit<GatewayOrder, 'key'> {
  const { configuration } = gateway;
  return {
    replicaId: replica.id,
    owner: {
      ...{ server, project: projectName, fleet: '' },
      instance: `${gateway.name}-${replica.replicaNum}`,
    },
    replicaNum: replica.replicaNum,
    gateway: { id: gateway.id, name: gateway.name },
    balancer: balancerOf(configuration),
    domain: gateway.wildcardDomain,
    settings: configuration.backend_settings ?? null,
    region: replica.region ?? configuration.region,
    instanceType: configuration.instance_type,
    isPublic: configuration.public_ip,
    authorizedKeys,
    tags: configuration.tags ?? {},
  };
}

/** A certificate that a load balancer has implies one. */
function balancerOf({
  certificate,
  load_balancer,
}: GatewayRecord['configuration']): GatewayOrder['balancer'] {
  const certificateArn = certificate?.type === 'acm' ? certificate.arn : null;
  return load_balancer === null && certificateArn === null ? null : { certificateArn };
}
