import type { JobKeys as Keys } from '@dstack/contract/agent';
import type { RunRecord } from '@dstack/core';
import type { AccessSubject, Store } from '@dstack/store';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { AgentRefusal, AgentUnreachable } from './agent-client.ts';
import { JobKeyUpdates } from './job-keys.ts';
import { keysForAgent, keysOfRun } from './run-keys.ts';

const owner = {
  ...{ id: 'bob', deleted: false, active: true, globalRole: 'user' },
  sshPublicKey: 'ssh-rsa PAIR bob\n',
};
const run = {
  ...{ userId: 'bob', projectId: 'main', gatewayId: null as string | null },
  spec: { ssh_key_pub: 'ssh-ed25519 RUN' },
};

function accounts(user: object | null = owner, role: string | null = 'user') {
  const registered = [{ key: 'ssh-ed25519 LAPTOP' }, { key: 'ssh-ed25519 RUN' }];
  return {
    users: { byId: async () => user, publicKeys: async () => registered },
    projects: { role: async () => role },
    gateways: {
      replicas: async () => [
        { deleted: false, sshPublicKey: 'ssh-ed25519 EDGE' },
        { deleted: false, sshPublicKey: '' },
        { deleted: true, sshPublicKey: 'ssh-ed25519 DELETED' },
      ],
    },
  } as unknown as Store;
}

describe('the keys that open a run', () => {
  it('are the run’s own, its owner’s pair and those the owner has registered, each once', async () => {
    const keys = await keysOfRun(accounts(), run as RunRecord);
    expect(keys).toEqual(['ssh-ed25519 RUN', 'ssh-rsa PAIR bob', 'ssh-ed25519 LAPTOP']);
  });

  it.each([
    ['is deactivated', { ...owner, active: false }, 'user', 0],
    ['is deleted', { ...owner, deleted: true }, 'user', 0],
    ['is unknown', null, 'user', 0],
    ['is no member of the project any more', owner, null, 0],
    ['is a global admin', { ...owner, globalRole: 'admin' }, null, 3],
  ])('of an owner who %s are as many as they should be', async (_, user, role, count) => {
    expect(await keysOfRun(accounts(user, role), run as RunRecord)).toHaveLength(count);
  });
});

it('agents also let in the gateway of a service, to ports alone, and the SSH entry does not', async () => {
  const served = { ...run, gatewayId: 'edge' } as RunRecord;
  const known = ['ssh-ed25519 RUN', 'ssh-rsa PAIR bob', 'ssh-ed25519 LAPTOP'];
  expect(await keysForAgent(accounts(), served)).toEqual([
    ...known,
    'restrict,port-forwarding ssh-ed25519 EDGE',
  ]);
  expect(await keysOfRun(accounts(), served)).toEqual(known);
  expect(await keysForAgent(accounts(null), served)).toEqual([
    'restrict,port-forwarding ssh-ed25519 EDGE',
  ]);
});

describe('keys of the jobs on a host', () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  function hosts(answers: (() => Promise<void>)[] = []) {
    let changed: (subject: AccessSubject | null) => void = () => {};
    const sent: string[] = [];
    let linked = true;
    const store = {
      ...accounts(),
      access: {
        onChanged: (listener: typeof changed) => {
          changed = listener;
          return () => {};
        },
      },
      jobs: {
        hostsOf: async () => ['one', 'elsewhere'],
        viewsOnHost: async (hostId: string) => [{ job: { id: `job-${hostId}` }, run }],
      },
    } as unknown as Store;
    const client = (hostId: string) =>
      linked
        ? {
            replaceKeys: async ({ jobs }: Keys) => {
              sent.push(`${hostId}: ${Object.keys(jobs)} ${Object.values(jobs)[0]?.length}`);
              await answers.shift()?.();
            },
          }
        : null;
    const log = pino({ level: 'silent' });
    const keys = new JobKeyUpdates({
      store,
      hosts: () => ['one', 'two'],
      client,
      log,
      retryMs: 10,
    });
    const unlink = () => {
      linked = false;
    };
    return { keys, sent, unlink, changed: (subject: AccessSubject | null) => changed(subject) };
  }

  const fail = (error: Error) => () => Promise.reject(error);

  it('are sent to its agent when access to one of them changes, to all when changes were missed', async () => {
    const { sent, changed } = hosts();
    changed({ kind: 'user', id: 'bob' });
    await vi.advanceTimersByTimeAsync(0);
    expect(sent).toEqual(['one: job-one 3']);
    changed(null);
    await vi.advanceTimersByTimeAsync(0);
    expect(sent.slice(1)).toEqual(['one: job-one 3', 'two: job-two 3']);
  });

  it('are read and sent once more when they change while they are being sent', async () => {
    const first = Promise.withResolvers<void>();
    const { keys, sent } = hosts([() => first.promise]);
    keys.push('one');
    await vi.advanceTimersByTimeAsync(0);
    keys.push('one');
    keys.push('one');
    await vi.advanceTimersByTimeAsync(0);
    expect(sent).toHaveLength(1);
    first.resolve();
    await vi.advanceTimersByTimeAsync(0);
    expect(sent).toHaveLength(2);
  });

  it('are sent again until the agent has them, with growing delays', async () => {
    const lost = fail(new AgentUnreachable('lost'));
    const { keys, sent } = hosts([lost, lost]);
    keys.push('one');
    await vi.advanceTimersByTimeAsync(9);
    expect(sent).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(sent).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(19);
    expect(sent).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(1);
    expect(sent).toHaveLength(3);
    await vi.advanceTimersByTimeAsync(100_000);
    expect(sent).toHaveLength(3);
  });

  it('are not sent again to an agent that cannot replace keys, or without a link', async () => {
    const { keys, sent, unlink } = hosts([
      fail(new AgentRefusal(404, 'not_found', 'nothing there')),
      async () => {
        unlink();
        throw new AgentUnreachable('lost');
      },
    ]);
    keys.push('one');
    await vi.advanceTimersByTimeAsync(100_000);
    expect(sent).toHaveLength(1);
    keys.push('one');
    await vi.advanceTimersByTimeAsync(100_000);
    expect(sent).toHaveLength(2);
  });
});
