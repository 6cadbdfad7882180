/** Events about what gateways may not do. */
import type { GatewayRecord, GatewayReplicaRecord, NewEvent } from '../model/index.ts';
import { gatewayTarget } from './events.ts';
import { recordEvent } from './record-event.ts';

/** The server has closed its link to a replica for a minute. */
export function gatewayCutOffEvent(
  gateway: Pick<GatewayRecord, 'id' | 'name' | 'projectId'>,
  { replicaNum }: Pick<GatewayReplicaRecord, 'replicaNum'>,
): NewEvent {
  return recordEvent({
    action: 'gateway.replica_cut_off',
    data: { replica: replicaNum, gateway: gateway.name },
    targets: [gatewayTarget(gateway)],
  });
}

/** nginx of a replica cannot answer requests itself, as it is set. `why`: what is missing. */
export function gatewayNotPlainEvent(
  gateway: Pick<GatewayRecord, 'id' | 'name' | 'projectId'>,
  { replicaNum }: Pick<GatewayReplicaRecord, 'replicaNum'>,
  why: string,
): NewEvent {
  return recordEvent({
    action: 'gateway.replica_not_plain',
    data: { replica: replicaNum, gateway: gateway.name, why },
    targets: [gatewayTarget(gateway)],
  });
}

/** The DNS hook has set a record for a domain that is not proven. `why`: what is missing. */
export function unprovenDomainEvent(
  gateway: Pick<GatewayRecord, 'id' | 'name' | 'projectId'>,
  domain: string,
  why: string,
): NewEvent {
  return recordEvent({
    action: 'gateway.domain_unproven',
    data: { domain, why },
    targets: [gatewayTarget(gateway)],
  });
}
