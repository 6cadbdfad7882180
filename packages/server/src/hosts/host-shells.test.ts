import type { HostShellKeys } from '@dstack/contract/agent';
import type { AccessSubject, Store } from '@dstack/store';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { AgentUnreachable } from './agent-client.ts';
import { type HostShellSetting, HostShells } from './host-shells.ts';

const HOUR_MS = 3_600_000;
const LINKED = ['one', 'two', 'three', 'local'];

describe('shells of SSH hosts', () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  /**
   * Two hosts of project `main`, one of `other`, and the server host; each answer is awaited in
   * turn.
   */
  function setUp(
    setting: HostShellSetting = 'managers',
    answers: (() => Promise<void>)[] = [],
    linked = LINKED,
  ) {
    let changed: (subject: AccessSubject | null) => void = () => {};
    const keys: Record<string, string[]> = { main: ['alice'], other: ['bob'] };
    /** Keys in the store, by user. */
    const stored: Record<string, string> = {};
    const bodies: HostShellKeys[] = [];
    const asked: string[] = [];
    const sent: string[] = [];
    const projects: Record<string, string> = { one: 'main', two: 'main', three: 'other' };
    const store = {
      access: {
        onChanged: (listener: typeof changed) => {
          changed = listener;
          return () => {};
        },
        keysOf: async (projectId: string, roles: readonly string[]) => {
          asked.push(`${projectId} ${roles}`);
          return (keys[projectId] ?? []).map((user) => ({
            user,
            key: stored[user] ?? 'ssh-rsa AA',
          }));
        },
      },
      instances: {
        byId: async (id: string) =>
          projects[id] ? { instance: { projectId: projects[id], backend: 'remote' } } : null,
      },
    } as unknown as Store;
    const client = (hostId: string) => ({
      openShells: async (body: HostShellKeys) => {
        bodies.push(body);
        sent.push(`${hostId}: ${body.keys.map(({ user }) => user)}`);
        await answers.shift()?.();
      },
    });
    const hosts = () => linked;
    const log = pino({ level: 'silent' });
    const shells = new HostShells({ store, setting, hosts, client, log, retryMs: 10 });
    const settle = () => vi.advanceTimersByTimeAsync(0);
    const connect = async () => {
      for (const hostId of hosts()) shells.connected(hostId);
      await settle();
    };
    const change = async () => {
      changed({ kind: 'user', id: 'x' });
      await settle();
    };
    return {
      keys,
      stored,
      bodies,
      asked,
      sent: () => sent.splice(0),
      shells,
      connect,
      change,
      settle,
    };
  }

  it('are for the managers of each fleet’s own project, and never on the server host', async () => {
    const { connect, sent, asked } = setUp();
    await connect();
    expect(sent()).toEqual(['one: alice', 'two: alice', 'three: bob']);
    // Once for all hosts of a project.
    expect(asked).toEqual(['main admin,manager', 'other admin,manager']);
  });

  it('have keys of one line each, and no invalid key keeps the others from their host', async () => {
    const { keys, stored, bodies, connect } = setUp('managers', [], ['one']);
    keys.main = ['alice', 'eve'];
    stored.alice = 'ssh-rsa AAAA alice\n';
    stored.eve = 'ssh-rsa AAAA\nssh-rsa BBBB eve';
    await connect();
    expect(bodies.map((body) => body.keys)).toEqual([
      [{ user: 'alice', key: 'ssh-rsa AAAA alice' }],
    ]);
  });

  it('are for all members, or for no user, if the server is configured so', async () => {
    const all = setUp('users');
    await all.connect();
    expect(all.asked[0]).toBe('main admin,manager,user');
    const none = setUp('off');
    await none.connect();
    expect(none.sent()).toEqual(['one: ', 'two: ', 'three: ']);
    expect(none.asked).toEqual([]);
  });

  it('name users by texts that every agent accepts', async () => {
    const { connect, sent, keys } = setUp('managers', [], ['one']);
    keys.main = ['älice b@c', 'x'.repeat(70)];
    await connect();
    expect(sent()).toEqual([`one: _lice_b_c,${'x'.repeat(60)}`]);
  });

  it('follow changes of access at once, on hosts that they concern', async () => {
    const { connect, change, sent, keys } = setUp();
    await connect();
    sent();
    await change();
    expect(sent()).toEqual([]);
    keys.main = [];
    await change();
    expect(sent()).toEqual(['one: ', 'two: ']);
  });

  it('are removed again and again until the agent has answered', async () => {
    const lost = () => Promise.reject(new AgentUnreachable('lost'));
    const answers = [async () => {}, lost, lost];
    const { connect, change, sent, keys } = setUp('managers', answers, ['one']);
    await connect();
    keys.main = [];
    await change();
    await vi.advanceTimersByTimeAsync(100);
    expect(sent()).toEqual(['one: alice', 'one: ', 'one: ', 'one: ']);
  });

  it('are sent again unchanged if the state of the agent is unknown', async () => {
    const lost = () => Promise.reject(new AgentUnreachable('lost'));
    const { connect, change, sent, keys } = setUp('managers', [async () => {}, lost], ['one']);
    await connect();
    keys.main = [];
    await change();
    keys.main = ['alice'];
    await change();
    expect(sent()).toEqual(['one: alice', 'one: ', 'one: alice']);
  });

  it('are sent again over a new link, also during a request over the old one', async () => {
    const first = Promise.withResolvers<void>();
    const { shells, sent, settle } = setUp('managers', [() => first.promise]);
    shells.connected('one');
    await settle();
    shells.connected('one');
    first.resolve();
    await settle();
    expect(sent()).toEqual(['one: alice', 'one: alice']);
  });

  it('are sent again every hour, since agents remove those of a server that has ended', async () => {
    const { connect, sent } = setUp();
    await connect();
    sent();
    await vi.advanceTimersByTimeAsync(HOUR_MS);
    expect(sent()).toEqual(['one: alice', 'two: alice', 'three: bob']);
  });
});
