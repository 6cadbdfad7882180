import { permanent, temporary } from '@dstack/ssh';
import type { HostAccessRecord } from '@dstack/store';
import { pino } from 'pino';
import { afterEach, expect, it, vi } from 'vitest';
import type { AgentAccess } from '../hosts.ts';
import type { HostConnection } from './connector.ts';
import { LinkSupervisor, type SupervisorOptions } from './supervisor.ts';

const LOGIN = { hostname: '10.0.0.7', port: 22, user: 'root', privateKey: '' };
const RECORD: HostAccessRecord = {
  ...{ instanceId: 'i', agentToken: 't', hostKeys: {} },
  access: { kind: 'ssh', login: LOGIN, proxy: null, internalIp: null },
};

let supervisor: LinkSupervisor;
afterEach(() => supervisor.close());

interface World {
  readonly status?: string;
  readonly described?: boolean;
  readonly shared?: boolean;
  readonly prepare?: HostConnection['prepare'];
  readonly remove?: HostConnection['remove'];
  /** Called within the end of the link. */
  readonly unlink?: () => Promise<void>;
}

/** One SSH host; the calls of the supervisor to it and the writes about it, in order. */
function world({ status = 'pending', described = false, shared = false, ...host }: World = {}) {
  const linkable = ['i'];
  const done: string[] = [];
  const added: AgentAccess[] = [];
  const provisioningData = described ? {} : null;
  const instance = { id: 'i', fleetId: 'f', status, provisioningData };
  const connection: HostConnection = {
    client: {} as never,
    dial: () => ({}) as never,
    token: 't',
    prepare: host.prepare ?? (async () => {}),
    remove: host.remove ?? (async ({ briefly }) => void done.push(`removed ${briefly}`)),
    close: () => void done.push('closed'),
  };
  const records = async (ids: readonly string[]) => (ids.includes('i') ? [RECORD] : []);
  supervisor = new LinkSupervisor({
    store: {
      shared,
      hostAccess: {
        byId: async () => RECORD,
        byIds: records,
        linkableIds: async () => [...linkable],
        delete: async () => void done.push('access deleted'),
      },
      instances: { byIds: async () => [instance] },
      fleets: { recordById: async () => ({ spec: { configuration: { env: {} } } }) },
    },
    hosts: {
      add: async (access: AgentAccess) => {
        added.push(access);
        return true;
      },
      has: () => added.length > 0,
      hold: async () => void done.push('held'),
      remove: async () => {
        done.push('unlinked');
        await host.unlink?.();
      },
      delete: async () => void done.push('row deleted'),
      reportProgress: async (_: string, text: string) => void done.push(text),
    },
    connectors: { ssh: () => connection, socket: () => connection },
    log: pino({ level: 'silent' }),
  } as unknown as SupervisorOptions);
  return { done, added, linkable };
}

it('links to every instance that exists when the server starts, and to each only once', async () => {
  const { added } = world({ status: 'idle' });
  await supervisor.start();
  await supervisor.follow('i');
  expect(added.map(({ hostId }) => hostId)).toEqual(['i']);
});

it('opens no link to an instance that is ending', async () => {
  const { added } = world({ status: 'terminating' });
  await supervisor.follow('i');
  expect(added).toEqual([]);
});

it('names the host in reports about one that was never in service', async () => {
  const { done, added } = world({
    prepare: async (report) => {
      report('Checking the host');
      throw permanent('No Docker');
    },
  });
  await supervisor.follow('i');
  const failure = await added[0]?.prepare().catch((error: unknown) => error);
  expect(done).toEqual(['10.0.0.7: Checking the host']);
  expect(failure).toMatchObject({ message: '10.0.0.7: No Docker', permanent: true });
});

it('does not name the address of an instance that has a name', async () => {
  const { added } = world({
    ...{ status: 'idle', described: true },
    prepare: async () => {
      throw temporary('Connection refused');
    },
  });
  await supervisor.follow('i');
  await expect(added[0]?.prepare()).rejects.toThrow(/^Connection refused$/);
});

it('ends the link before it removes an agent, and then deletes what is stored of the host', async () => {
  const { done } = world({ status: 'terminating' });
  await supervisor.removeAgent('i');
  expect(done).toEqual(['held', 'removed false', 'access deleted', 'row deleted', 'closed']);
});

it('keeps the connection of a removal that begins while links of hosts that leave are ended', async () => {
  vi.useFakeTimers();
  const [begun, ended] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let removal = Promise.resolve();
  const { done, linkable } = world({
    ...{ status: 'idle', shared: true },
    unlink: async () => {
      removal = supervisor.removeAgent('i');
      await begun.promise;
    },
    remove: async () => {
      begun.resolve();
      await ended.promise;
      done.push('removed');
    },
  });
  try {
    await supervisor.start();
    linkable.splice(0);
    await vi.advanceTimersByTimeAsync(4000);
    ended.resolve();
    await removal;
  } finally {
    vi.useRealTimers();
  }
  expect(done.filter((it) => ['removed', 'closed'].includes(it))).toEqual(['removed', 'closed']);
});

it('waits only briefly for a host that failed last', async () => {
  const { done, added } = world({
    prepare: async () => {
      throw permanent('Permission denied');
    },
  });
  await supervisor.follow('i');
  await added[0]?.prepare().catch(() => {});
  await supervisor.removeAgent('i');
  expect(done).toContain('removed true');
});

it('reports nothing about a host on which there never was an agent', async () => {
  const failing = async () => {
    throw permanent('Permission denied');
  };
  const { added, done } = world({ prepare: failing, remove: failing });
  await supervisor.follow('i');
  await added[0]?.prepare().catch(() => {});
  await supervisor.removeAgent('i');
  expect(done).toContain('access deleted');
});

it('deletes what is stored of a host whose agent cannot be removed, and reports the cause', async () => {
  const { done } = world({
    status: 'terminating',
    remove: async () => {
      throw temporary('Connection refused');
    },
  });
  await expect(supervisor.removeAgent('i')).rejects.toThrow('Connection refused');
  expect(done).toEqual(['held', 'access deleted', 'row deleted', 'closed']);
});

it('starts no work on a host once the server is being stopped', async () => {
  const { done } = world({ status: 'terminating' });
  supervisor.close();
  await expect(supervisor.removeAgent('i')).rejects.toThrow('The server is being stopped');
  expect(done).toEqual([]);
});
