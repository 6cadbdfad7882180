import { agentToken } from '@dstack/backends';
import { expect, it } from 'vitest';
import type { AgentAccess } from '../hosts/hosts.ts';
import type { HostConnection } from '../hosts/supervisor/connector.ts';
import {
  SshGatewayHosts,
  type SshGatewayHostsOptions,
  type SshRecord,
} from './ssh-gateway-hosts.ts';

const access = (hostname: string) =>
  ({ kind: 'ssh', hostname, port: 22, user: 'ubuntu', hostKey: 'key' }) as const;

function world({ privateKey = 'private' as string | null } = {}) {
  const records: SshRecord[] = [];
  const added: AgentAccess[] = [];
  const ended: string[] = [];
  let fails = true;
  const prepare: HostConnection['prepare'] = async (report) => {
    report('Checking the host');
    if (fails) throw new Error('no nginx yet');
  };
  const machines = new SshGatewayHosts({
    hosts: {
      add: async (one: AgentAccess) => {
        if (!added.some(({ hostId }) => hostId === one.hostId)) added.push(one);
        return true;
      },
      delete: async (id: string) => {
        ended.push(`deleted ${id}`);
        added.length = 0;
      },
    },
    connect: (record) => {
      records.push(record);
      const { agentToken: token } = record;
      const close = () => void ended.push(`closed ${record.access.login.hostname}`);
      return { token, prepare, close } as unknown as HostConnection;
    },
    secret: async () => 'secret',
    privateKey: async () => privateKey,
  } satisfies SshGatewayHostsOptions);
  const succeed = () => {
    fails = false;
  };
  return { machines, records, added, ended, succeed };
}

it('a machine is logged in to with the key of its project, and no other machine is taken for it', async () => {
  const { machines, records, added } = world();
  expect(await machines.link('r', 'p', access('192.0.2.1'))).toBeNull();
  await machines.link('r', 'p', access('192.0.2.1'));
  expect(records).toEqual([
    {
      ...{ instanceId: 'r', agentToken: agentToken('secret', 'r') },
      hostKeys: { '192.0.2.1:22': 'key' },
      access: {
        ...{ kind: 'ssh', proxy: null, internalIp: null, vm: { hostKey: 'key' } },
        login: { hostname: '192.0.2.1', port: 22, user: 'ubuntu', privateKey: 'private' },
      },
    },
  ]);
  expect(added.map(({ hostId }) => hostId)).toEqual(['r']);
});

it('what is done on a machine, or why it failed, is reported until its agent answers', async () => {
  const { machines, added, succeed } = world();
  const link = () => machines.link('r', 'p', access('192.0.2.1'));
  await link();
  await expect(added[0]?.prepare()).rejects.toThrow('no nginx yet');
  expect(await link()).toBe('no nginx yet');
  succeed();
  await added[0]?.prepare();
  expect(await link()).toBeNull();
});

it('a machine that got another address is reached there, over a new connection', async () => {
  const { machines, records, added, ended } = world();
  await machines.link('r', 'p', access('192.0.2.1'));
  await machines.link('r', 'p', access('192.0.2.2'));
  expect(ended).toEqual(['deleted r', 'closed 192.0.2.1']);
  expect(records.map((record) => record.access.login.hostname)).toEqual(['192.0.2.1', '192.0.2.2']);
  expect(added).toHaveLength(1);
  machines.forget('r');
  expect(ended.at(-1)).toBe('closed 192.0.2.2');
});

it('the machine of a deleted project is not reached', async () => {
  const { machines } = world({ privateKey: null });
  await expect(machines.link('r', 'p', access('192.0.2.1'))).rejects.toThrow('was deleted');
});

it('a server that stops ends its connections and opens no others', async () => {
  const { machines, ended } = world();
  await machines.link('r', 'p', access('192.0.2.1'));
  machines.close();
  expect(ended).toEqual(['closed 192.0.2.1']);
  await expect(machines.link('r', 'p', access('192.0.2.1'))).rejects.toThrow('being stopped');
});
