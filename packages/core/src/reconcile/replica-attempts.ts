/** When a gateway tries again to add replicas that are missing. */
import type { GatewayRecord, GatewayReplicaRecord, Timestamp } from '../model/index.ts';
import { SECOND } from '../model/values.ts';
import { isReplicaEnding, isReplicaTerminated } from '../status/index.ts';

/** Seconds before the second, third, … attempt; the last is repeated for ever. */
const DELAYS = [60, 120, 300, 600, 1800] as const;

type Attempts = Pick<GatewayRecord, 'scaleOutAttempt'>;

/** Null: at once. `replicas`: with the last ones that have ended. */
export function nextAttemptAt(
  { scaleOutAttempt: attempts }: Attempts,
  replicas: readonly GatewayReplicaRecord[],
): Timestamp | null {
  if (attempts === 0) return null;
  const last = Math.max(...replicas.map(({ createdAt }) => createdAt));
  const seconds = DELAYS[Math.min(attempts, DELAYS.length) - 1] ?? 0;
  return last + seconds * SECOND;
}

/** That count for `replicas` of the configuration. */
export function activeReplicas(replicas: readonly GatewayReplicaRecord[]): GatewayReplicaRecord[] {
  return replicas.filter(
    ({ status, scaleIn }) => !scaleIn && !isReplicaEnding(status) && !isReplicaTerminated(status),
  );
}

/** Why the last attempt has failed; null = no reason is known. */
export function lastFailure(replicas: readonly GatewayReplicaRecord[]): string | null {
  const ended = replicas.filter(({ status, scaleIn }) => !scaleIn && isReplicaTerminated(status));
  return ended.sort((a, b) => b.createdAt - a.createdAt)[0]?.statusMessage ?? null;
}
