/** The position of a replica among the others of its gateway, by which they request certificates in turn. */
import { generateKeyPairSync } from 'node:crypto';
import type { GatewayReplicaRecord } from '@dstack/core';
import type { GatewayView } from '@dstack/store';
import type { GivenToReplica } from './gateway-settings.ts';

/** The key of an account at an authority, in PEM. */
export function newAccountKey(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** The others that serve: DNS may lead to them, and those with a lower number request certificates first. */
export function placeAmong(
  { replicas, reports }: Pick<GatewayView, 'replicas' | 'reports'>,
  { id, replicaNum }: Pick<GatewayReplicaRecord, 'id' | 'replicaNum'>,
): Pick<GivenToReplica, 'others' | 'turn' | 'replicas'> {
  const ready = replicas.flatMap((one) => {
    const report = reports.find(({ replicaId }) => replicaId === one.id);
    const isServing = one.id !== id && one.status === 'running' && report?.state === 'ready';
    return isServing ? [{ num: one.replicaNum, address: report.hostname ?? one.hostname }] : [];
  });
  return {
    others: ready.flatMap(({ address }) => address ?? []),
    turn: ready.filter(({ num }) => num < replicaNum).length,
    // One that is ending, or does not report, may still have clients.
    replicas: replicas.filter(({ status }) => status !== 'terminated').length,
  };
}
