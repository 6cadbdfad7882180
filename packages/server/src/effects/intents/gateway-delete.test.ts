import { type HowGatewayReleased, NoAnswerError } from '@dstack/backends';
import type { IntentOf } from '@dstack/core';
import { expect, it } from 'vitest';
import type { EffectsOptions } from '../effects.ts';
import { NotNow } from '../not-now.ts';
import { gatewayDelete } from './gateway-delete.ts';

interface World {
  readonly gateway?: object;
  readonly replica?: object;
  readonly others?: readonly object[];
  /** Microseconds since the order. */
  readonly now?: number;
  readonly release: (how: HowGatewayReleased) => Promise<'released' | 'releasing'>;
}

async function ended({ gateway, replica, others = [], now = 0, release }: World) {
  const effects = {
    now: () => now,
    store: {
      gateways: {
        replicaById: async () => ({
          ...{ id: 'r', gatewayId: 'g', backend: 'aws', region: 'eu', instanceId: 'i-1' },
          ...{ backendData: '{}', scaleIn: false, ...replica },
        }),
        byId: async () => ({
          gateway: {
            ...{ projectId: 'p', region: 'eu', status: 'running', toBeDeleted: false, ...gateway },
          },
          replicas: others.map((one) => ({ status: 'running', scaleIn: false, ...one })),
        }),
      },
    },
    backends: {
      find: async () => ({
        gateways: { release: (_: unknown, how: HowGatewayReleased) => release(how) },
      }),
    },
  } as unknown as EffectsOptions;
  const intent = { subjectId: 'r', createdAt: 0 } as IntentOf<'gateway.delete'>;
  return await gatewayDelete.handle(effects, intent);
}

const THERE = { id: 'r2', region: 'eu' };
it.each([
  ['that was lost', {}, [], 'gateway'],
  ['that leaves', { scaleIn: true }, [], 'gateway'],
  ['that leaves as the last one there', { scaleIn: true }, [{ ...THERE, region: 'us' }], 'gateway'],
  ['that leaves with the last one there', {}, [{ ...THERE, scaleIn: true }], 'gateway'],
  ['that leaves others there', { scaleIn: true }, [THERE], 'replica'],
  ['that was lost beside others there', {}, [THERE], 'replica'],
] as const)(
  'at the place that its gateway has left, a replica %s keeps nothing that no other uses',
  async (_, replica, others, ends) => {
    const released: HowGatewayReleased[] = [];
    const release = async (how: HowGatewayReleased) => {
      released.push(how);
      return 'released' as const;
    };
    await ended({ gateway: { region: 'us' }, replica, others, release });
    expect(released).toEqual([{ ends }]);
  },
);

it.each([
  ['a machine that has ended', {}, {}, 'machine'],
  ['a replica that is wanted no more', {}, { scaleIn: true }, 'replica'],
  ['a gateway that is being deleted', { toBeDeleted: true }, {}, 'gateway'],
  ['a gateway that has failed', { status: 'failed' }, {}, 'gateway'],
] as const)('for %s the backend learns what ends', async (_, gateway, replica, ends) => {
  const released: HowGatewayReleased[] = [];
  const release = async (how: HowGatewayReleased) => {
    released.push(how);
    return 'released' as const;
  };
  expect(await ended({ gateway, replica, release })).toEqual({ kind: 'ok' });
  expect(released).toEqual([{ ends }]);
});

it.each([
  ['a machine of a cloud, which costs money, is not given up', 'aws', false],
  ['a pod of a cluster is given up after two minutes', 'kubernetes', true],
  ['a host of a fleet is given up after two minutes', 'remote', true],
] as const)('without an answer %s', async (_, backend, isGivenUp) => {
  const release = async () => {
    throw new NoAnswerError('no answer');
  };
  const end = (now: number) => ended({ replica: { backend }, now, release });
  await expect(end(119_000_000)).rejects.toThrow(NotNow);
  if (isGivenUp) expect(await end(120_000_000)).toEqual({ kind: 'ok' });
  else await expect(end(86_400_000_000)).rejects.toThrow(NotNow);
});
