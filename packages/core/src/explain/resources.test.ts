/** Explanations of volumes and gateways, one row per situation. */
import { describe, expect, it } from 'vitest';
import type {
  GatewayRecord,
  GatewayReplicaRecord,
  GatewayReport,
  VolumeRecord,
} from '../model/index.ts';
import { aHostVolume, aVolumeHost, VolumeWorld } from '../reconcile/testing/volumes.ts';
import { volumeRecord } from '../testing/records.ts';
import { explainGateway, explainVolume } from './explain-resources.ts';
import { gatewayUseText } from './gateway-use.ts';
import type { NamedRun } from './input.ts';
import { aNamedRun, NOW } from './testing.ts';
import { CTX, type Expected, expectExplained, PROJECTS } from './testing-capacity.ts';

const VOLUME = volumeRecord({
  configuration: {
    ...volumeRecord().configuration,
    auto_cleanup_duration: 600,
  } as VolumeRecord['configuration'],
  ...{ createdAt: NOW, statusChangedAt: NOW },
});

describe('a volume', () => {
  it.each<readonly [string, Partial<VolumeRecord>, boolean, Expected]>([
    [
      'has failed',
      { status: 'failed', statusMessage: 'This server cannot create volumes in backend aws' },
      false,
      {
        ...{ state: 'failed', rules: ['failed'], fixes: ['dstack volume delete data'] },
        summary: 'has failed: This server cannot create volumes in backend aws',
      },
    ],
    [
      'is ordered',
      { status: 'submitted' },
      false,
      { state: 'creating', rules: ['creating'], until: 10, summary: 'is being made in aws' },
    ],
    [
      'is on its way',
      { status: 'provisioning' },
      false,
      { state: 'creating', rules: ['creating'], until: 20, summary: 'has to be ready in 19 min' },
    ],
    ['is used', {}, true, { state: 'active', rules: ['in_use'], summary: 'is used by train' }],
    [
      'is larger than it should be',
      { statusMessage: 'It holds 130GB' },
      true,
      { state: 'active', rules: ['in_use', 'failed'], summary: 'is used by train' },
    ],
    [
      'is not used, and goes',
      {},
      false,
      { state: 'active', rules: ['idle'], until: 10, summary: 'is deleted in 9 min' },
    ],
    [
      'is deleted while it is used',
      { toBeDeleted: true },
      true,
      { state: 'stopping', rules: ['in_use'], summary: 'it is still used by train' },
    ],
    [
      'cannot be deleted',
      { toBeDeleted: true, statusMessage: 'Deletion failed: HTTP 500' },
      false,
      { state: 'stopping', rules: ['terminating'], summary: 'Deletion failed: HTTP 500' },
    ],
  ])('is explained: %s', (_name, patch, isUsed, expected) => {
    const world = new VolumeWorld({ volume: { ...VOLUME, ...patch } });
    if (isUsed) world.use();
    expectExplained(explainVolume(world.snapshot(), CTX), expected);
  });

  it('is explained: no host is connected', () => {
    const hosts = [aVolumeHost('gpus-0', { connected: false })];
    const volume = aHostVolume({ createdAt: NOW, statusChangedAt: NOW });
    expectExplained(explainVolume(new VolumeWorld({ volume, hosts }).snapshot(), CTX), {
      ...{ state: 'creating', rules: ['creating'], until: 10 },
      summary: 'waits until a host connects that can hold it',
    });
  });
});

const GATEWAY: GatewayRecord = {
  ...{ id: 'g', projectId: 'project-1', name: 'gate', backend: 'aws', region: 'eu' },
  configuration: {} as GatewayRecord['configuration'],
  ...{ status: 'running', statusMessage: null, wildcardDomain: null, hostname: null },
  ...{ backendData: null, scaleOutAttempt: 0, createdAt: NOW, lastProcessedAt: NOW },
  ...{ toBeDeleted: false, deleted: false, nextPassAt: null, version: 1 },
};

describe('a gateway', () => {
  it.each<readonly [string, Partial<GatewayRecord>, boolean, Expected]>([
    [
      'has failed, and lost its backend',
      { status: 'failed', statusMessage: 'This server cannot create gateways in backend aws' },
      false,
      {
        ...{ state: 'failed', rules: ['failed', 'no_backends'] },
        summary: 'has failed: This server cannot create gateways in backend aws',
        fixes: ['dstack gateway delete gate'],
      },
    ],
    [
      'is on its way',
      { status: 'provisioning' },
      true,
      { state: 'creating', rules: ['creating'], until: 30, summary: 'has to be up in 29 min' },
    ],
    [
      'runs',
      {},
      true,
      {
        ...{ state: 'active', rules: ['in_use'] },
        summary: 'runs, and serves api, a run of another project.',
      },
    ],
    [
      'accepts no new services',
      { configuration: { forbid_new_services: true } as GatewayRecord['configuration'] },
      true,
      {
        ...{ state: 'active', rules: ['in_use'] },
        summary: 'runs, accepts no new services (`forbid_new_services`), and serves api',
      },
    ],
    [
      'is deleted',
      { toBeDeleted: true },
      true,
      { state: 'stopping', rules: ['terminating'], summary: 'is being deleted' },
    ],
  ])('is explained: %s', (_name, patch, backendConfigured, expected) => {
    const gateway = { ...GATEWAY, ...patch };
    const snapshot = {
      ...{ gateway, projectName: 'main', backendConfigured, defaultOf: [], projectDefaultId: null },
      ...{ replicas: [], reports: [], intents: [], roomSince: null, waitingGatewayIds: [] },
    };
    const services = [aNamedRun('api'), aNamedRun('secret', 'project-2')];
    expectExplained(
      explainGateway({ gateway: snapshot, services, projectNames: PROJECTS }, CTX),
      expected,
    );
  });

  it('is not deleted while services use it, which are named as far as the caller may see them', () => {
    const use = (...services: readonly NamedRun[]) =>
      gatewayUseText(GATEWAY, services, { projectNames: PROJECTS, viewer: CTX.viewer });
    expect(use()).toBeNull();
    expect(use(aNamedRun('api'), aNamedRun('secret', 'project-2'))).toBe(
      'Gateway gate is used by 2 services (api, a run of another project). Stop them or change their `gateway`, or delete it anyway by `dstack gateway delete gate --force`',
    );
    expect(use(aNamedRun('api'))).toMatch(/used by a service \(api\)\. Stop it or change its/);
  });

  it('lacks replicas, with the cause and the time of the next attempt', () => {
    const gateway = { ...GATEWAY, scaleOutAttempt: 3 };
    const replicas = [
      { ...REPLICA, status: 'running' as const },
      { ...REPLICA, id: 'r1', status: 'terminated' as const, statusMessage: 'no free host' },
    ];
    const diagnosis = explained(withReplicas(gateway, 2), replicas);
    expectExplained(diagnosis, {
      ...{ state: 'active', rules: ['retry_delay'], until: 5, attempt: 4 },
      summary:
        'runs, and serves nothing. It lacks 1 of 2 replicas (the last attempt ended: no free host); attempt 4 to add what is missing begins in 4 min',
    });
  });

  it('has replicas with a problem, which may serve requests all the same', () => {
    const report = (replicaId: string, state: GatewayReport['state'], text: string | null) => ({
      ...{ replicaId, state, text, hostname: null, version: '1', certificates: [] },
      ...{ outdated: null, updatedAt: 1 },
    });
    const replicas = ['r0', 'r1', 'r2'].map((id, replicaNum) => ({ ...REPLICA, id, replicaNum }));
    const diagnosis = explained(withReplicas(GATEWAY, 3), replicas, [
      report('r0', 'ready', 'The disk is full.'),
      report('r1', 'waiting', 'Its host is not connected'),
      report('r2', 'ready', null),
    ]);
    expectExplained(diagnosis, {
      ...{ state: 'active', rules: ['health_warning', 'not_ready'] },
      summary:
        'serves nothing. Replica 0 reports a problem: The disk is full. Replica 1 does not serve requests: Its host is not connected.',
    });
  });

  const explained = (
    gateway: GatewayRecord,
    replicas: readonly GatewayReplicaRecord[],
    reports: readonly GatewayReport[] = [],
  ) => {
    const snapshot = {
      ...{ gateway, replicas, reports, projectName: 'main', backendConfigured: true },
      ...{ defaultOf: [], projectDefaultId: null, intents: [], roomSince: null },
      waitingGatewayIds: [],
    };
    return explainGateway({ gateway: snapshot, services: [], projectNames: PROJECTS }, CTX);
  };
});

const REPLICA: GatewayReplicaRecord = {
  ...{ id: 'r0', gatewayId: 'gateway', replicaNum: 0, status: 'running', statusMessage: null },
  ...{ backend: 'aws', region: 'eu', instanceId: null, backendData: null, hostname: null },
  ...{ sshPublicKey: '', scaleIn: false, attempt: 0, appUpdatedAt: null, createdAt: NOW },
  ...{ lastProcessedAt: NOW, deleted: false, nextPassAt: null, version: 0 },
};

const withReplicas = (gateway: GatewayRecord, replicas: number): GatewayRecord => ({
  ...gateway,
  configuration: { ...gateway.configuration, replicas },
});
