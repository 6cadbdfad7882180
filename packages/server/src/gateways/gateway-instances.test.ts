import type { GatewayPort, Observation } from '@dstack/backends';
import type { GatewayReplicaRecord } from '@dstack/core';
import { describe, expect, it } from 'vitest';
import type { AgentAccess } from '../hosts/hosts.ts';
import { GatewayInstances, type GatewayInstancesOptions } from './gateway-instances.ts';

const REPLICA = {
  ...{ id: 'r', gatewayId: 'g', backend: 'kubernetes', region: 'east' },
  ...{ instanceId: 'dstack-main-edge-0', backendData: '{}' },
} as GatewayReplicaRecord;

const VIEW = {
  gateway: { id: 'g', name: 'edge', projectId: 'p', configuration: { domain: null } },
  ...{ projectName: 'main', reports: [] },
};
const REACHED = { outdated: null, unreachable: null };

function world(observation: Observation | Error) {
  const added: AgentAccess[] = [];
  const deleted: string[] = [];
  const linked: string[][] = [];
  const gateways = {
    observe: async () => {
      if (observation instanceof Error) throw observation;
      return observation;
    },
    maintain: async () => REACHED,
    dial: async () => {
      throw new Error('not dialled');
    },
    ports: () => ({ http: 30_080, https: 30_443 }),
  } as unknown as GatewayPort;
  const instances = new GatewayInstances({
    store: { gateways: { byId: async () => VIEW } },
    find: async () => ({ gateways }),
    hosts: {
      add: async (access: AgentAccess) => {
        added.push(access);
        return true;
      },
      has: (id: string) => added.some(({ hostId }) => hostId === id),
      delete: async (id: string) => void deleted.push(id),
    },
    sshHosts: {
      link: async (id: string, project: string, access: { readonly hostname: string }) => {
        linked.push([id, project, access.hostname]);
        return linked.length > 1 ? null : 'Checking the host';
      },
      forget: (id: string) => void linked.push([id]),
    },
  } as unknown as GatewayInstancesOptions);
  return { instances, added, deleted, linked };
}

const ready = {
  ...{ state: 'ready', access: { kind: 'backend', token: 't' } },
  machine: { provisioningData: { hostname: 'lb.example' } },
} as Observation;

describe('an instance that a backend has made for a gateway', () => {
  it('is linked when it is ready, and its link is deleted with it', async () => {
    const { instances, added, deleted } = world(ready);
    expect(instances.has(REPLICA)).toBe(true);
    expect(instances.address('r')).toBeUndefined();
    await instances.forget(REPLICA);
    expect(await instances.observe(REPLICA)).toEqual({ state: 'ready' });
    expect(added).toMatchObject([{ hostId: 'r', token: 't' }]);
    expect(instances.address('r')).toBe('lb.example');
    expect(await instances.ports(REPLICA)).toEqual({ http: 30_080, https: 30_443 });
    await instances.forget(REPLICA);
    expect(deleted).toEqual(['r']);
    expect(instances.address('r')).toBeUndefined();
  });

  it('is reached over SSH where its backend gives no other way, and reports what is done there', async () => {
    const access = { kind: 'ssh', hostname: '192.0.2.1', port: 22, user: 'ubuntu', hostKey: 'k' };
    const { instances, added, linked } = world({ ...ready, access } as Observation);
    expect(await instances.observe(REPLICA)).toEqual({
      ...{ state: 'pending', text: 'Checking the host' },
    });
    expect(await instances.observe(REPLICA)).toEqual({ state: 'ready' });
    expect(instances.address('r')).toBe('lb.example');
    await instances.forget(REPLICA);
    expect(linked).toEqual([['r', 'p', '192.0.2.1'], ['r', 'p', '192.0.2.1'], ['r']]);
    expect(added).toEqual([]);
  });

  it.each([
    [
      { state: 'pending', text: 'no address yet' },
      { state: 'pending', text: 'no address yet' },
    ],
    [
      { state: 'interrupted', reason: 'failed', text: 'no such image' },
      { state: 'refused', text: 'no such image' },
    ],
    [{ state: 'missing' }, { state: 'missing', text: expect.any(String) }],
    [new Error('no answer'), { state: 'pending', text: 'no answer' }],
  ] as const)('is not linked before, and the reason is reported: %j', async (seen, expected) => {
    const { instances, added } = world(seen as Observation | Error);
    expect(await instances.observe(REPLICA)).toEqual(expected);
    expect(added).toEqual([]);
  });

  it('is not reached while what was made again for it has no address yet', async () => {
    const text = 'the cluster has given Service edge no address yet';
    expect(await world({ state: 'pending', text }).instances.maintain(REPLICA)).toEqual({
      ...REACHED,
      unreachable: text,
    });
    const { instances } = world(ready);
    expect(await instances.maintain(REPLICA)).toEqual(REACHED);
    expect(instances.address('r')).toBe('lb.example');
  });

  it('is none on the hosts of users', () => {
    const { instances } = world(ready);
    expect(instances.has({ ...REPLICA, backend: 'remote', region: 'pool' })).toBe(false);
    expect(instances.has({ ...REPLICA, backend: 'remote', region: 'local' })).toBe(false);
  });
});
