/** Explanations of volumes and gateways, one row per situation. */
import { describe, it } from 'vitest';
import type { GatewayRecord, VolumeRecord } from '../model/index.ts';
import { explainGateway, explainVolume } from './explain-resources.ts';
import { aNamedRun, NOW } from './testing.ts';
import { CTX, type Expected, expectExplained, PROJECTS } from './testing-capacity.ts';

const VOLUME: VolumeRecord = {
  ...{ id: 'v', projectId: 'project-1', userId: 'u', name: 'data', backend: 'aws' },
  configuration: { auto_cleanup_duration: 600 } as VolumeRecord['configuration'],
  ...{ external: false, status: 'active', statusMessage: null, provisioningData: null },
  ...{ createdAt: NOW, lastProcessedAt: NOW, lastJobProcessedAt: null, toBeDeleted: false },
  ...{ deleted: false, deletedAt: null, nextPassAt: null, version: 1 },
};

describe('a volume', () => {
  it.each<readonly [string, Partial<VolumeRecord>, number, Expected]>([
    [
      'has failed',
      { status: 'failed', statusMessage: 'This server cannot create volumes in backend aws' },
      0,
      {
        ...{ state: 'failed', rules: ['failed'], fixes: ['dstack volume delete data'] },
        summary: 'has failed: This server cannot create volumes in backend aws',
      },
    ],
    [
      'is on its way',
      { status: 'submitted' },
      0,
      { state: 'creating', rules: ['creating'], until: 10, summary: 'waits for backend aws' },
    ],
    ['is used', {}, 2, { state: 'active', rules: ['in_use'], summary: 'is used by 2 instances' }],
    [
      'is not used, and goes',
      {},
      0,
      { state: 'active', rules: ['idle'], until: 10, summary: 'is deleted in 9 min' },
    ],
    [
      'is deleted while it is used',
      { toBeDeleted: true },
      1,
      { state: 'stopping', rules: ['in_use'], summary: 'it is still used by 1 instance' },
    ],
  ])('is explained: %s', (_name, patch, attachments, expected) => {
    const volume = { ...VOLUME, ...patch };
    const snapshot = { volume, projectName: 'main', backendConfigured: true, attachments };
    expectExplained(explainVolume(snapshot, CTX), expected);
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
      'is deleted',
      { toBeDeleted: true },
      true,
      { state: 'stopping', rules: ['terminating'], summary: 'is being deleted' },
    ],
  ])('is explained: %s', (_name, patch, backendConfigured, expected) => {
    const gateway = { ...GATEWAY, ...patch };
    const snapshot = {
      ...{ gateway, projectName: 'main', backendConfigured, defaultOf: [], projectDefaultId: null },
    };
    const services = [aNamedRun('api'), aNamedRun('secret', 'project-2')];
    expectExplained(
      explainGateway({ gateway: snapshot, services, projectNames: PROJECTS }, CTX),
      expected,
    );
  });
});
