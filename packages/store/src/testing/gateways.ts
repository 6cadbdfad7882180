import type { GatewayRecord, GatewayReplicaRecord } from '@dstack/core';
import type { World } from './stores.ts';

export function gatewayRecord(world: World, part: Partial<GatewayRecord> = {}): GatewayRecord {
  return {
    ...{ id: 'g1', projectId: world.projectId, name: 'gate', backend: 'aws', region: 'eu' },
    ...{ configuration: { name: 'gate' } as GatewayRecord['configuration'] },
    ...{ status: 'submitted', statusMessage: null, wildcardDomain: '*.x.org', hostname: null },
    ...{ backendData: null, scaleOutAttempt: 0, createdAt: 1, lastProcessedAt: 1 },
    ...{ toBeDeleted: false, deleted: false, nextPassAt: null, version: 0 },
    ...part,
  };
}

export const insertGateway = (world: World, part: Partial<GatewayRecord> = {}) =>
  world.store.gateways.insert(part.projectId ?? world.projectId, { exact: 'gate' }, () => ({
    gateway: gatewayRecord(world, part),
  }));

export function replicaRecord(part: Partial<GatewayReplicaRecord> = {}): GatewayReplicaRecord {
  return {
    ...{ id: 'gr1', gatewayId: 'g1', replicaNum: 0, status: 'submitted', statusMessage: null },
    ...{ backend: null, region: null, instanceId: null, hostname: null, backendData: null },
    ...{ sshPublicKey: 'ssh-ed25519', scaleIn: false, attempt: 0, appUpdatedAt: null },
    ...{ createdAt: 1, lastProcessedAt: 1, deleted: false, nextPassAt: null, version: 0 },
    ...part,
  };
}
