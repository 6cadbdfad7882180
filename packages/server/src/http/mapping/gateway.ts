import { isReplicaEnding } from '@dstack/contract/status';
import { formatTimestamp, type Gateway, type GatewayCertificateInfo } from '@dstack/contract/wire';
import {
  canBeDefault,
  type GatewayCertificateState,
  type GatewayReplicaRecord,
} from '@dstack/core';
import type { GatewayView, ProjectRecord } from '@dstack/store';
import { certificatesOf } from '../../gateways/certificates-of.ts';

/** `viewer`: the project that decides whether the gateway is shown as the default. */
export function wireGateway(view: GatewayView, viewer: ProjectRecord): Gateway {
  const { gateway, replicas, reports } = view;
  const isDefault = viewer.defaultGatewayId === gateway.id && canBeDefault(gateway);
  const first = replicas.find(({ status }) => !isReplicaEnding(status)) ?? replicas[0];
  return {
    id: gateway.id,
    name: gateway.name,
    project_name: view.projectName,
    configuration: { ...gateway.configuration, default: isDefault },
    created_at: formatTimestamp(gateway.createdAt),
    status: gateway.status,
    status_message: gateway.statusMessage,
    hostname: gateway.hostname,
    wildcard_domain: gateway.wildcardDomain,
    default: isDefault,
    replicas: replicas.map((replica) => ({
      hostname: addressOf(replica),
      replica_num: replica.replicaNum,
      backend: replica.backend,
      region: replica.region,
      created_at: formatTimestamp(replica.createdAt),
      status: replica.status,
      status_message: replica.statusMessage,
    })),
    certificates: certificatesOf(reports).map(wireCertificate),
    backend: gateway.backend,
    region: gateway.region,
    ip_address: first ? addressOf(first) : null,
    instance_id: first?.instanceId ?? null,
  };
}

/** The address of one that ends may already lead to another gateway. */
function addressOf({ status, hostname }: GatewayReplicaRecord): string | null {
  return isReplicaEnding(status) ? null : hostname;
}

function wireCertificate(one: GatewayCertificateState): GatewayCertificateInfo {
  const { domain, source, state, expiresAt, renewsAt, message } = one;
  return {
    ...{ domain, source, state, message },
    expires_at: expiresAt === null ? null : formatTimestamp(expiresAt),
    renews_at: renewsAt === null ? null : formatTimestamp(renewsAt),
  };
}
