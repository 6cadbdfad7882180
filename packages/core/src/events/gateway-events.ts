/** Events about gateways that send what they may not. */
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
