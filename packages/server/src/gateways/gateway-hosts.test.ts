import type { GatewayRecord } from '@dstack/core';
import { expect, it } from 'vitest';
import { type GatewayHostsOptions, gatewayHosts } from './gateway-hosts.ts';

const places = gatewayHosts({
  store: {
    instances: { byIds: async (ids: string[]) => ids.map((id) => ({ name: `pool-${id}` })) },
  },
  ...{ client: () => null, serverHostId: null },
} as unknown as GatewayHostsOptions);

const gateway = (instance_type: string | null) =>
  ({ configuration: { region: 'pool', instance_type } }) as GatewayRecord;

it.each([
  ['no host is named', null, null],
  ['its host is named', 'pool-0', null],
  ['its host is named by its number', '0', null],
  ['another host is named', 'pool-1', 'The gateway is on host pool-1 now'],
])('a replica on host pool-0 stays or leaves if %s', async (_, wanted, outdated) => {
  const condition = await places.condition({ instanceId: '0' }, gateway(wanted));
  expect(condition).toEqual({ outdated, unreachable: null });
});

it('a host to which another server is linked can be a gateway, and one without any server cannot', async () => {
  const host = (id: string) => ({ status: 'idle', name: `pool-${id}`, hostId: id });
  const made = gatewayHosts({
    store: {
      gateways: {
        replicaById: async () => ({ gatewayId: 'g' }),
        byId: async () => ({ gateway: { projectId: 'p' } }),
        placedReplicas: async () => [],
      },
      fleets: { byName: async () => ({ instances: [host('0'), host('1')] }) },
    },
    ...{ client: () => null, serverHostId: null },
    isElsewhere: async (hostId: string) => hostId === '1',
  } as unknown as GatewayHostsOptions);
  const order = (replicaId: string) => ({ replicaId, region: 'pool', instanceType: null });
  expect(await made.choose(order('a'))).toBe('1');
});
