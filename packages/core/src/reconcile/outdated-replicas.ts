/** Replicas of a gateway that others replace, because the server or the configuration has changed. */
import type { GatewayReplicaRecord } from '../model/index.ts';
import { isReplicaRunning } from '../status/index.ts';
import type { GatewayPass } from './gateway-pass.ts';

/** Null: it stays. */
export function outdatedText(pass: GatewayPass, replica: GatewayReplicaRecord): string | null {
  const { region } = pass.gateway;
  if (replica.region !== null && replica.region !== region)
    return `The gateway is in ${region} now`;
  return pass.report(replica)?.outdated ?? null;
}

export function byAge(pass: GatewayPass) {
  const outdated = pass.active.filter((one) => outdatedText(pass, one) !== null);
  return { outdated, current: pass.active.filter((one) => !outdated.includes(one)) };
}

/** Whether a replica serves all names that the outdated ones serve. */
export function isSuccessor(
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
