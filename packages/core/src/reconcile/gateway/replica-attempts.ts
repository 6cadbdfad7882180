/** When a gateway tries again to add replicas that are missing. */
import type { GatewayRecord, GatewayReplicaRecord, Timestamp } from '../../model/index.ts';
import { SECOND } from '../../model/values.ts';
import { isReplicaEnding, isReplicaTerminated } from '../../status/index.ts';

/** Seconds before the second, third, … attempt; the last is repeated for ever. */
const DELAYS = [60, 120, 300, 600, 1800] as const;

/** Before an attempt for which there is room now. */
const ROOM_DELAY = 5 * SECOND;

export interface Attempts {
  readonly gateway: Pick<GatewayRecord, 'scaleOutAttempt'>;
  /** With the last ones that have ended. */
  readonly replicas: readonly GatewayReplicaRecord[];
  /** See `GatewaySnapshot`. */
  readonly roomSince: Timestamp | null;
}

/** Null: at once. */
export function nextAttemptAt(attempts: Attempts): Timestamp | null {
  const { scaleOutAttempt: count } = attempts.gateway;
  if (count === 0) return null;
  const last = lastAttempt(attempts);
  const seconds = DELAYS[Math.min(count, DELAYS.length) - 1] ?? 0;
  const planned = last + seconds * SECOND;
  return hasNewRoom(attempts) ? Math.min(planned, last + ROOM_DELAY) : planned;
}

/** Whether a host has got room since the last attempt, so that the next one is as good as the first. */
export function hasNewRoom(attempts: Attempts): boolean {
  const { roomSince } = attempts;
  return roomSince !== null && roomSince > lastAttempt(attempts);
}

const lastAttempt = ({ replicas }: Attempts): Timestamp =>
  Math.max(...replicas.map(({ createdAt }) => createdAt));

/** That count for `replicas` of the configuration. */
export function activeReplicas(replicas: readonly GatewayReplicaRecord[]): GatewayReplicaRecord[] {
  return replicas.filter(
    ({ status, scaleIn }) => !scaleIn && !isReplicaEnding(status) && !isReplicaTerminated(status),
  );
}

/**
 * The number of the replica that is added next. One that takes the place of a replica which has ended on its own
 * gets its number, so that backends can give it the same address.
 */
export function numberOfNext(replicas: Numbered): number {
  const used = new Set(
    replicas
      .filter((one) => !isLost(one) && !isReplicaTerminated(one.status))
      .map(({ replicaNum }) => replicaNum),
  );
  const [vacant] = replicas
    .filter((one) => isLost(one) && !used.has(one.replicaNum))
    .sort((a, b) => b.lastProcessedAt - a.lastProcessedAt);
  if (vacant) return vacant.replicaNum;
  let lowest = 0;
  while (used.has(lowest)) lowest += 1;
  return lowest;
}

type Numbered = readonly Pick<
  GatewayReplicaRecord,
  'replicaNum' | 'status' | 'scaleIn' | 'lastProcessedAt'
>[];

/** It is ending, or has ended, although it was wanted. */
const isLost = ({ status, scaleIn }: Numbered[number]): boolean =>
  !scaleIn && isReplicaEnding(status);

/** Why the last attempt has failed; null = no reason is known. */
export function lastFailure(replicas: readonly GatewayReplicaRecord[]): string | null {
  const ended = replicas.filter(({ status, scaleIn }) => !scaleIn && isReplicaTerminated(status));
  return ended.sort((a, b) => b.createdAt - a.createdAt)[0]?.statusMessage ?? null;
}
