/** Events about what gateways may not do. */
import type { GatewayRecord, GatewayReplicaRecord, NewEvent } from '../model/index.ts';
import { gatewayTarget, newEvent } from './events.ts';

/** The server has closed its link to a replica for a minute. */
export function gatewayCutOffEvent(
  gateway: Pick<GatewayRecord, 'id' | 'name' | 'projectId'>,
  { replicaNum }: Pick<GatewayReplicaRecord, 'replicaNum'>,
): NewEvent {
  const text = `Replica ${replicaNum} of gateway ${gateway.name} has sent too many messages about runs, projects and users that are not behind it. Its link to the server is closed for a minute. If its host is not yours, delete the gateway; if it is, upgrade the server, which replaces the program of the gateway`;
  return newEvent(text, [gatewayTarget(gateway)]);
}

/** The DNS hook has set a record for a domain that is not proven. `why`: what is missing. */
export function unprovenDomainEvent(
  gateway: Pick<GatewayRecord, 'id' | 'name' | 'projectId'>,
  name: string,
  why: string,
): NewEvent {
  const text = `The certificate for ${name} is being renewed, but the next version of the server refuses it. ${why}`;
  return newEvent(text, [gatewayTarget(gateway)]);
}
