import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type Duplex, duplexPair } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { JobRecord } from '@dstack/core';
import { newEd25519Pair } from '@dstack/ssh/ed25519-pair';
import { pino } from 'pino';
import ssh2 from 'ssh2';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { WebSocket } from 'ws';
import { AgentRefusal, AgentUnreachable } from '../hosts/agent-client.ts';
import { insertInstances } from '../http/testing/services.ts';
import { startTestServer, type TestServer } from '../http/testing/test-server.ts';
import { RunChanges } from '../loops/run-changes.ts';
import { entryHostKey } from './host-key.ts';
import { SshEntry, type SshEntryLimits, type SshEntryOptions } from './ssh-entry.ts';

const bobs = newEd25519Pair('bob');
const strangers = newEd25519Pair('stranger');

let server: TestServer;
let instance: string;
let bob: string;
let entry: SshEntry;
let port: number;
let changes: RunChanges;
/** Both ends of connections to agents, and the jobs that were asked for. */
let jobs: Duplex[];
let outsides: Duplex[];
let dialled: string[];
let openSsh: (id: string) => Promise<Duplex>;

beforeAll(async () => {
  server = await startTestServer({ failedLoginsPerMinute: 0 });
  [instance = ''] = await insertInstances(server, 1);
  await server.call('/api/users/create', { username: 'bob', global_role: 'user' });
  await join();
  const { body } = await server.call('/api/users/get_user', { username: 'bob' });
  bob = body.creds.token;
  await server.call('/api/users/public_keys/add', { key: bobs.publicKey }, { token: bob });
  await server.call('/api/users/public_keys/add', { key: strangers.publicKey });
});
afterAll(() => server.close());
beforeEach(() => start());
afterEach(() => entry.close());

async function start(limits: Partial<SshEntryLimits> = {}): Promise<void> {
  jobs = [];
  outsides = [];
  dialled = [];
  changes = new RunChanges();
  openSsh = async (id) => {
    const [inside, outside] = duplexPair();
    jobs.push(inside);
    outsides.push(outside);
    dialled.push(id);
    return outside;
  };
  entry = new SshEntry({
    ...{
      store: server.store,
      changes,
      limits,
      access: server.access,
      signIns: server.deps.signIns,
    },
    client: () => ({ openSsh: (id) => openSsh(id) }),
    logs: storedOutput('first\r\nsecond\r\n'),
    hostKeyPem: await entryHostKey(server.store),
    now: () => server.deps.context().now,
    log: pino({ level: 'silent' }),
  });
  port = await entry.listen('127.0.0.1', 0);
}

const join = () =>
  server.call('/api/projects/main/add_members', {
    members: [{ username: 'bob', project_role: 'user' }],
  });

let runs = 0;

/** A running job of Bob's. */
async function runningJob(): Promise<JobRecord> {
  runs += 1;
  const configuration = { type: 'task', commands: ['true'] };
  const run_spec = { run_name: `run-${runs}`, configuration, profile: { name: 'default' } };
  const plan = { plan: { run_spec }, force: false };
  const answer = await server.call('/api/project/main/runs/apply', plan, { token: bob });
  const [job] = await server.store.jobs.ofRun(answer.body.id);
  if (!job) throw new Error(answer.text);
  return await change(job, { status: 'running', instanceId: instance });
}

async function change({ id }: JobRecord, set: Partial<JobRecord>): Promise<JobRecord> {
  const version = (await server.store.jobs.byId(id))?.job.version ?? 0;
  const outcome = await server.store.engine.apply([{ type: 'job.update', id, version, set }]);
  const changed = (await server.store.jobs.byId(id))?.job;
  if (outcome !== 'applied' || !changed) throw new Error(outcome);
  return changed;
}

/** Output that was read from the job a second apart, half and half. */
function storedOutput(output: string): SshEntryOptions['logs'] {
  const bytes = Buffer.from(output);
  const half = bytes.length / 2;
  return {
    length: async () => bytes.length,
    readRaw: async (_ref, from, max) =>
      from < bytes.length ? { offset: from, bytes: bytes.subarray(from, from + max) } : null,
    readTimes: async (_ref, from, to) => [{ end: to, time: from < half ? 5000 : 6000 }],
  };
}

/** A connection with a login. Rejects as ssh2 does. */
async function logIn(login: string, { privateKey } = bobs): Promise<ssh2.Client> {
  const client = new ssh2.Client();
  const ready = once(client, 'ready');
  client.on('error', () => {});
  client.connect({ host: '127.0.0.1', port, username: login, privateKey });
  await ready;
  return client;
}

const isRefused = async (login: string, pair = bobs) => {
  await expect(logIn(login, pair)).rejects.toThrow('All configured authentication methods failed');
};

/** A second login, to the SSH server at the other end of a forwarded connection. */
async function overStream(
  sock: ssh2.ClientChannel,
  { privateKey }: typeof bobs,
): Promise<ssh2.Client> {
  const client = new ssh2.Client();
  const ready = once(client, 'ready');
  client.on('error', () => {});
  client.connect({ sock, username: 'root', privateKey });
  await ready;
  return client;
}

function forward(client: ssh2.Client, host: string, to: number): Promise<ssh2.ClientChannel> {
  return new Promise((resolve, reject) => {
    client.forwardOut('127.0.0.1', 1, host, to, (error, channel) =>
      error ? reject(error) : resolve(channel),
    );
  });
}

const JOB = ['localhost', 10_022] as const;

describe('the SSH entry', () => {
  it('connects a user of the run to the SSH server of the job, each direction ending by itself', async () => {
    const job = await runningJob();
    const client = await logIn(job.id);
    const channel = await forward(client, ...JOB);
    const [inside] = jobs;
    if (!inside) throw new Error('nothing was dialled');
    channel.end('from the user');
    expect(await text(inside)).toBe('from the user');
    inside.end('from the job');
    expect(await text(channel)).toBe('from the job');
    expect(dialled).toEqual([job.id]);
    const compact = await logIn(job.id.replaceAll('-', ''));
    expect(entry.connections).toBe(2);
    for (const one of [client, compact]) one.end();
    await vi.waitFor(() => expect(entry.connections).toBe(0));
  });

  it('opens nothing else: no other address, no shell, no listener', async () => {
    const { id } = await runningJob();
    const client = await logIn(id);
    const other = 'this server leads only to the SSH server of the job';
    for (const [host, to] of [
      ['localhost', 22],
      ['192.0.2.1', 10_022],
      ['::1', 3000],
    ] as const) {
      await expect(forward(client, host, to)).rejects.toThrow(other);
    }
    const shell = new Promise((_, reject) => client.shell((error) => error && reject(error)));
    await expect(shell).rejects.toThrow('this server opens no shell: use `dstack attach`');
    const listens = new Promise((_, reject) =>
      client.forwardIn('127.0.0.1', 0, (error) => error && reject(error)),
    );
    await expect(listens).rejects.toThrow();
    expect(dialled).toEqual([]);
    client.end();
  });

  it('refuses other keys, other users, and names of no job', async () => {
    const { id } = await runningJob();
    const own = await server.call('/api/project/main/runs/apply', {
      plan: { run_spec: { configuration: { type: 'task', commands: ['true'] } } },
      force: false,
    });
    const [foreign] = await server.store.jobs.ofRun(own.body.id);
    await isRefused(id, newEd25519Pair('unknown'));
    await isRefused(id, strangers);
    await isRefused(foreign?.id ?? '');
    await isRefused('root');
    await isRefused('00000000-0000-4000-8000-000000000000');
    await isRefused(`${id}; x`);
    (await logIn(foreign?.id ?? '', strangers)).end();
  });

  it('names the reason if the job cannot be reached', async () => {
    const waiting = await change(await runningJob(), { status: 'provisioning', instanceId: null });
    const client = await logIn(waiting.id);
    await expect(forward(client, ...JOB)).rejects.toThrow('on no host: it is provisioning');
    client.end();
    const { id } = await runningJob();
    const second = await logIn(id);
    for (const [error, reason] of [
      [new AgentUnreachable('x'), 'unreachable now: try again'],
      [new AgentRefusal(409, 'not_running', 'The job is pulling'), 'The job is pulling'],
      [new AgentRefusal(404, 'not_found', ''), 'too old'],
      [new Error('secret'), 'the server failed'],
    ] as const) {
      openSsh = () => Promise.reject(error);
      await expect(forward(second, ...JOB)).rejects.toThrow(reason);
    }
    second.end();
  });

  it.each([
    [
      'the key is deleted',
      async () => {
        const { body } = await server.call('/api/users/public_keys/list', {}, { token: bob });
        const ids = body.map((one: { id: string }) => one.id);
        await server.call('/api/users/public_keys/delete', { ids }, { token: bob });
      },
      () => server.call('/api/users/public_keys/add', { key: bobs.publicKey }, { token: bob }),
    ],
    [
      'the user leaves the project',
      () => server.call('/api/projects/main/remove_members', { usernames: ['bob'] }),
      join,
    ],
    [
      'the user is deactivated',
      () =>
        server.call('/api/users/update', { username: 'bob', global_role: 'user', active: false }),
      () =>
        server.call('/api/users/update', { username: 'bob', global_role: 'user', active: true }),
    ],
  ])('ends open connections, and refuses new ones, when %s', async (_what, revoke, restore) => {
    const { id } = await runningJob();
    const client = await logIn(id);
    const channel = await forward(client, ...JOB);
    const closed = once(channel.resume(), 'close');
    await revoke();
    await closed;
    await vi.waitFor(() => expect(outsides[0]?.destroyed).toBe(true));
    await isRefused(id);
    await restore();
    (await logIn(id)).end();
  });

  it('lets the output of an ended job be read for a minute', async () => {
    const job = await runningJob();
    const client = await logIn(job.id);
    const closed = once(client, 'close');
    const { now } = server.deps.context();
    await change(job, { status: 'done', finishedAt: now - 59_900_000 });
    (await logIn(job.id)).end();
    changes.emit(job.runId);
    server.advance(1);
    await closed;
    await isRefused(job.id);
  });

  it('serves the output of an ended job itself, and nothing else of it', async () => {
    const job = await runningJob();
    const { now } = server.deps.context();
    await change(job, { status: 'done', finishedAt: now, instanceId: null });
    const outer = await logIn(job.id);
    await expect(overStream(await forward(outer, ...JOB), strangers)).rejects.toThrow(
      'All configured authentication methods failed',
    );
    const inner = await overStream(await forward(outer, ...JOB), bobs);
    const ended = 'the job has ended: only its output can be read';
    await expect(forward(inner, 'localhost', 8000)).rejects.toThrow(ended);
    const shell = new Promise((_, reject) => inner.shell((error) => error && reject(error)));
    await expect(shell).rejects.toThrow(ended);
    const read = async (query: string) => {
      const channel = await forward(inner, 'localhost', 10_999);
      const options = { createConnection: () => channel as unknown as Socket };
      const socket = new WebSocket(`ws://localhost:10999/logs_ws${query}`, options);
      const parts: string[] = [];
      socket.on('message', (data) => parts.push(String(data)));
      const [code] = await once(socket, 'close');
      return [parts.join(''), code];
    };
    expect(await read('')).toEqual(['first\r\nsecond\r\n', 1000]);
    expect((await read('?start_time=1970-01-01T00:00:06Z'))[0]).toBe('econd\r\n');
    expect(dialled).toEqual([]);
    const closed = once(inner, 'close');
    outer.end();
    await closed;
  });

  it('has one host key for all servers of a database', async () => {
    expect(await entryHostKey(server.store)).toBe(await entryHostKey(server.store));
  });
});

/** Resolves when the entry has closed the connection, also by a reset. */
async function closedAfter(socket: Socket, send: string | Buffer = ''): Promise<void> {
  socket.on('error', () => {}).resume();
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  if (send !== '') socket.write(send);
  await closed;
}

describe('strangers at the SSH entry', () => {
  it('are cut off when they send garbage, or too slowly', async () => {
    await closedAfter(connect(port, '127.0.0.1'), 'GET / HTTP/1.1\r\n\r\n'.repeat(1000));
    await closedAfter(connect(port, '127.0.0.1'), `SSH-2.0-x\r\n${'\xff'.repeat(100_000)}`);
    await entry.close();
    await start({ loginMs: 1 });
    await closedAfter(connect(port, '127.0.0.1'), 'SSH-2.0-slow\r\n');
  });

  it('do not keep others out by open connections or by guessing', async () => {
    const { id } = await runningJob();
    await entry.close();
    await start({ loginsOfNetwork: 3, logins: 4, burst: 1000 });
    const sockets = Array.from({ length: 200 }, () => connect(port, '127.0.0.1'));
    let left = 200;
    for (const socket of sockets) {
      socket.on('error', () => {}).resume();
      socket.once('close', () => {
        left -= 1;
      });
    }
    await vi.waitFor(() => expect(left).toBe(3));
    for (const socket of sockets) socket.destroy();
    await vi.waitFor(() => expect(left).toBe(0));
    (await logIn(id)).end();
  });

  it('are limited in new connections, and each user in open ones', async () => {
    const { id } = await runningJob();
    await entry.close();
    await start({ burst: 3, perSecond: 1, perUser: 1 });
    const client = await logIn(id);
    await isRefused(id);
    (await logIn(id, bobs).catch(() => null))?.end();
    await closedAfter(connect(port, '127.0.0.1'));
    client.end();
    await vi.waitFor(() => expect(entry.connections).toBe(0));
    server.advance(1);
    (await logIn(id)).end();
  });
});
