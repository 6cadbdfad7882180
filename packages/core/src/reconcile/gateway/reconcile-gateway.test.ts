import { describe, expect, test } from 'vitest';
import type { Change, GatewayRecord, GatewaySnapshot } from '../../model/index.ts';
import { SETTINGS, T0 } from '../testing/records.ts';
import { canBeDefault, defaultOnRunning, reconcileGateway } from './reconcile-gateway.ts';

function aGateway(patch: Partial<GatewayRecord> = {}, isDefault: boolean | null = null) {
  return {
    ...{ id: 'gateway', projectId: 'project', name: 'edge', backend: 'aws', region: 'eu-west-1' },
    configuration: { default: isDefault } as GatewayRecord['configuration'],
    ...{ status: 'submitted', statusMessage: null, wildcardDomain: null, hostname: null },
    ...{ backendData: null, scaleOutAttempt: 0, createdAt: T0, lastProcessedAt: T0 },
    ...{ toBeDeleted: false, deleted: false, nextPassAt: T0, version: 3, ...patch },
  } as GatewayRecord;
}

function aSnapshot(gateway: GatewayRecord, projectDefaultId: string | null): GatewaySnapshot {
  const project = { id: 'project', name: 'main' };
  const defaultOf = projectDefaultId === gateway.id ? [project] : [];
  return {
    ...{ gateway, projectName: 'main', backendConfigured: false, defaultOf, projectDefaultId },
    ...{ replicas: [], reports: [], intents: [], roomSince: null, waitingGatewayIds: [] },
  };
}

const context = { now: T0 + 1, newId: () => 'new', settings: SETTINGS };

const defaults = (changes: readonly Change[]) =>
  changes.flatMap((one) => (one.type === 'project.default-gateway' ? [[one.from, one.to]] : []));

const pass = (gateway: GatewayRecord, projectDefaultId: string | null) =>
  reconcileGateway(aSnapshot(gateway, projectDefaultId), context).changes;

describe('the default gateway of a project', () => {
  test('is removed when the gateway fails', () => {
    expect(defaults(pass(aGateway(), 'gateway'))).toEqual([['gateway', null]]);
    expect(defaults(pass(aGateway(), 'other'))).toEqual([]);
  });

  test('is removed when the gateway has failed before or is deleted', () => {
    const failed = aGateway({ status: 'failed' });
    expect(defaults(pass(failed, 'gateway'))).toEqual([['gateway', null]]);
    expect(defaults(pass(failed, null))).toEqual([]);
    const leaving = aGateway({ status: 'running', toBeDeleted: true });
    expect(defaults(pass(leaving, 'gateway'))).toEqual([['gateway', null]]);
  });

  test('stays while the gateway runs', () => {
    expect(defaults(pass(aGateway({ status: 'running' }), 'gateway'))).toEqual([]);
  });

  test.each([
    [null, null, [[null, 'gateway']]],
    [null, 'other', []],
    [null, 'gateway', []],
    [true, 'other', [['other', 'gateway']]],
    [true, null, [[null, 'gateway']]],
    [true, 'gateway', []],
    [false, null, []],
  ])('is one that runs now with %j, where it was %j: %j', (wanted, present, changes) => {
    const gateway = aGateway({ status: 'provisioning' }, wanted);
    expect(defaults(defaultOnRunning(aSnapshot(gateway, present)))).toEqual(changes);
  });

  test.each([
    ['running', {}, true],
    ['running', { toBeDeleted: true }, false],
    ['running', { deleted: true }, false],
    ['submitted', {}, false],
    ['provisioning', {}, false],
    ['failed', {}, false],
  ] as const)('can be one that is %s %j: %j', (status, patch, can) => {
    expect(canBeDefault(aGateway({ status, ...patch }))).toBe(can);
  });
});
