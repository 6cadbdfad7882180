/** Replicas of a gateway that others replace, because the server or the configuration has changed. */

import type { GatewayReplicaRecord, Timestamp } from '../../model/index.ts';
import { isReplicaRunning } from '../../status/index.ts';
import { instantText } from '../../time/instant-text.ts';
import { silence, silenceDeadline } from '../../time/silence.ts';
import type { GatewayPass } from './gateway-pass.ts';

/** Null: it stays. */
export function outdatedText(pass: GatewayPass, replica: GatewayReplicaRecord): string | null {
  const { region } = pass.gateway;
  if (replica.region !== null && replica.region !== region)
    return `The gateway is in ${region} now`;
  return pass.report(replica)?.outdated ?? null;
}

/**
 * Until when an outdated replica goes on although others serve its names: clients use addresses that
 * DNS gave them before. Null: no client would notice its end, because its address is that of another
 * replica. One that does not answer now may do so in a moment, such as after an upgrade of its agent.
 */
export function leavesAt(pass: GatewayPass, replica: GatewayReplicaRecord): Timestamp | null {
  const { current } = byAge(pass);
  const isKept = current.some(({ hostname }) => hostname === replica.hostname);
  if (isKept || replica.hostname === null) return null;
  // When the last of them began to serve requests.
  const since = Math.max(...[...current, replica].map(({ lastProcessedAt }) => lastProcessedAt));
  return silenceDeadline(pass.draft, since, silence(pass.settings.gatewayMoveSeconds));
}

export function leavingText(pass: GatewayPass, replica: GatewayReplicaRecord): string | null {
  const text = outdatedText(pass, replica);
  const at = text !== null && areReplaced(pass) ? leavesAt(pass, replica) : null;
  if (at === null) return text;
  const addresses = byAge(pass).current.map(({ hostname }) => hostname);
  return `${text}. Let DNS lead to ${addresses.join(', ')}: this replica ends at ${instantText(at)}`;
}

/** Whether each of the current replicas serves all names of the outdated ones. */
export function areReplaced(pass: GatewayPass): boolean {
  const { outdated, current } = byAge(pass);
  return current.length > 0 && current.every((one) => isSuccessor(pass, one, outdated));
}

export function byAge(pass: GatewayPass) {
  const outdated = pass.active.filter((one) => outdatedText(pass, one) !== null);
  return { outdated, current: pass.active.filter((one) => !outdated.includes(one)) };
}

function isSuccessor(
  pass: GatewayPass,
  replica: GatewayReplicaRecord,
  outdated: readonly GatewayReplicaRecord[],
): boolean {
  const serves = (domain: string) => validNames(pass, replica).includes(domain);
  return (
    isReplicaRunning(replica.status) &&
    pass.report(replica)?.state === 'ready' &&
    outdated.every((one) => validNames(pass, one).every(serves))
  );
}

function validNames(pass: GatewayPass, replica: GatewayReplicaRecord): string[] {
  const { certificates = [] } = pass.report(replica) ?? {};
  return certificates.filter(({ state }) => state === 'valid').map(({ domain }) => domain);
}
