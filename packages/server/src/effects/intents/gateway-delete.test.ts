import type { HowGatewayReleased } from '@dstack/backends';
import type { IntentOf } from '@dstack/core';
import { expect, it } from 'vitest';
import type { EffectsOptions } from '../effects.ts';
import { gatewayDelete } from './gateway-delete.ts';

it.each([
  ['a machine that has ended', {}, {}, 'machine'],
  ['a replica that is wanted no more', {}, { scaleIn: true }, 'replica'],
  ['a gateway that is being deleted', { toBeDeleted: true }, {}, 'gateway'],
  ['a gateway that has failed', { status: 'failed' }, {}, 'gateway'],
] as const)('for %s the backend learns what ends', async (_, gateway, replica, ends) => {
  const released: HowGatewayReleased[] = [];
  const effects = {
    store: {
      gateways: {
        replicaById: async () => ({
          ...{ id: 'r', gatewayId: 'g', backend: 'aws', region: 'eu', instanceId: 'i-1' },
          ...{ backendData: '{}', scaleIn: false, ...replica },
        }),
        byId: async () => ({
          gateway: { projectId: 'p', status: 'running', toBeDeleted: false, ...gateway },
        }),
      },
    },
    backends: {
      find: async () => ({
        gateways: {
          release: async (_handle: unknown, how: HowGatewayReleased) => {
            released.push(how);
            return 'released';
          },
        },
      }),
    },
  } as unknown as EffectsOptions;
  const intent = { subjectId: 'r' } as IntentOf<'gateway.delete'>;
  expect(await gatewayDelete.handle(effects, intent)).toEqual({ kind: 'ok' });
  expect(released).toEqual([{ ends }]);
});
