import { once } from 'node:events';
import { request } from 'node:http';
import { type Duplex, duplexPair } from 'node:stream';
import { json } from 'node:stream/consumers';
import type { JobRecord } from '@dstack/core';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { insertInstances } from '../http/testing/services.ts';
import { startTestServer, type TestServer } from '../http/testing/test-server.ts';
import { limitJobRequests } from './job-requests.ts';
import { JobTunnels, jobAddress } from './job-tunnels.ts';

let server: TestServer;
let tunnels: JobTunnels;
let instances: string[];
let bob: string;
let url: string;
let now = 0;
/** Ends of connections in jobs, by the name of the tunnel, for tests that wait for them. */
const ends = new Map<string, (end: Duplex) => void>();
const opened: string[] = [];

const client = {
  openTunnel: async (_jobId: string, tunnel: string) => {
    const [inside, outside] = duplexPair();
    opened.push(tunnel);
    ends.get(tunnel)?.(inside);
    return outside;
  },
};

beforeAll(async () => {
  server = await startTestServer();
  const log = pino({ level: 'silent' });
  const { store } = server;
  const own = { forbidden: false, now: () => now };
  tunnels = new JobTunnels({ store, client: () => client, log, ...own });
  limitJobRequests(server.app, tunnels, () => now);
  url = await server.app.listen({ port: 0, host: '127.0.0.1' });
  tunnels.open((connection) => server.app.server.emit('connection', connection));
  instances = await insertInstances(server, 2);
  await server.call('/api/projects/create', { project_name: 'other' });
  await server.call('/api/users/create', { username: 'bob', global_role: 'user' });
  await join('user');
  const { body } = await server.call('/api/users/get_user', { username: 'bob' });
  bob = body.creds.token;
});
afterAll(async () => {
  tunnels.close();
  await server.close();
});

const join = (project_role: string) =>
  server.call('/api/projects/main/add_members', { members: [{ username: 'bob', project_role }] });

let runs = 0;

/** A job of a run of Bob's, on a host, with its token. */
async function runningJob(more: object = {}, token = bob) {
  runs += 1;
  const configuration = { type: 'task', commands: ['true'], dstack: true, ...more };
  const run_spec = { run_name: `run-${runs}`, configuration, profile: { name: 'default' } };
  const plan = { plan: { run_spec }, force: false };
  const answer = await server.call('/api/project/main/runs/apply', plan, { token });
  if (answer.status !== 200) throw new Error(answer.text);
  const [job] = await server.store.jobs.ofRun(answer.body.id);
  if (!job) throw new Error('no job');
  await change(job, { status: 'running', instanceId: instances[0] ?? '' });
  return { id: job.id, token: await server.store.meta.jobTokens.of(job.id) };
}

async function change({ id }: Pick<JobRecord, 'id'>, set: Partial<JobRecord>): Promise<void> {
  const version = (await server.store.jobs.byId(id))?.job.version ?? 0;
  const outcome = await server.store.engine.apply([{ type: 'job.update', id, version, set }]);
  if (outcome !== 'applied') throw new Error(outcome);
}

let names = 0;

async function connect(jobId: string, hostId = 'local'): Promise<Duplex> {
  names += 1;
  const name = `tunnel-${names}`;
  const { promise, resolve } = Promise.withResolvers<Duplex>();
  ends.set(name, resolve);
  tunnels.fetch(hostId, jobId, name);
  return await promise;
}

/** A call from within a job. */
async function call(jobId: string, token: string, path: string, body: object = {}) {
  const connection = await connect(jobId);
  const outgoing = request({
    ...{ method: 'POST', path, createConnection: () => connection as never },
    headers: { authorization: `Bearer ${token}`, host: 'server', connection: 'close' },
  });
  outgoing.end(JSON.stringify(body));
  const [response] = await once(outgoing, 'response');
  // biome-ignore lint/suspicious/noExplicitAny: tests look at parts of answers of every shape
  const answer = (await json(response)) as any;
  return { status: response.statusCode as number, headers: response.headers, body: answer };
}

const LIST = '/api/project/main/volumes/list';

describe('the token of a job', () => {
  it('has the permissions of a member of its project', async () => {
    const { id, token } = await runningJob();
    expect((await call(id, token, LIST)).status).toBe(200);
    const listed = await call(id, token, '/api/runs/list', {});
    expect(listed.status).toBe(200);
    expect(listed.body.length).toBeGreaterThan(0);
    const run_spec = { configuration: { type: 'task', commands: ['true'] } };
    const plan = await call(id, token, '/api/project/main/runs/get_plan', { run_spec });
    expect(plan.status).toBe(200);
    expect(plan.body.user).toBe('bob');
  });

  it('identifies its user, without credentials', async () => {
    const { id, token } = await runningJob();
    const { status, body } = await call(id, token, '/api/users/get_my_user');
    expect(status).toBe(200);
    expect(body).toMatchObject({
      ...{ username: 'bob', global_role: 'user', ssh_private_key: null },
      creds: { token },
    });
  });

  it.each([
    ['another project', '/api/project/other/volumes/list', {}],
    ['secrets', '/api/project/main/secrets/list', {}],
    ['members', '/api/projects/main/set_members', { members: [] }],
    ['tokens', '/api/project/main/service_tokens/create', { name: 'x' }],
    ['keys', '/api/users/public_keys/add', { key: 'x' }],
    ['a new token of its user', '/api/users/refresh_token', { username: 'bob' }],
    ['its user’s key', '/api/users/refresh_ssh_key', { username: 'bob' }],
    ['users', '/api/users/list', {}],
    ['projects', '/api/projects/create', { project_name: 'mine' }],
    ['credentials of repos', '/api/project/main/repos/get', { repo_id: 'r', include_creds: true }],
  ])('does not reach %s', async (_what, path, body) => {
    const { id, token } = await runningJob();
    expect((await call(id, token, path, body)).status).toBe(403);
  });

  it('has the permissions of a member if its user is a global admin', async () => {
    const { id, token } = await runningJob({}, server.token);
    expect((await call(id, token, LIST)).status).toBe(200);
    expect((await call(id, token, '/api/project/main/secrets/list')).status).toBe(403);
    expect((await call(id, token, '/api/project/other/volumes/list')).status).toBe(403);
  });

  it('is invalid outside of the job, and in another one', async () => {
    const { id, token } = await runningJob();
    const other = await runningJob();
    const headers = { authorization: `Bearer ${token}` };
    const outside = await fetch(`${url}${LIST}`, { method: 'POST', headers });
    expect([outside.status, await outside.json()]).toMatchObject([
      403,
      { detail: { msg: 'Invalid token' } },
    ]);
    expect((await call(other.id, token, LIST)).status).toBe(403);
    expect((await call(id, other.token, LIST)).status).toBe(403);
  });

  it('is invalid with another signature, or another id', async () => {
    const { id, token } = await runningJob();
    const wrong = [
      token.slice(0, -1) + (token.endsWith('A') ? 'B' : 'A'),
      `${token}A`,
      token.slice(0, 46),
      token.replace(/_[^_]*$/, '_'),
    ];
    for (const one of wrong) expect((await call(id, one, LIST)).status).toBe(403);
  });

  it('is valid until the job has ended', async () => {
    const job = await runningJob();
    await change(job, { status: 'terminating' });
    expect((await call(job.id, job.token, LIST)).status).toBe(200);
    const connection = await connect(job.id);
    await change(job, { status: 'terminated' });
    const outgoing = request({
      ...{ method: 'POST', path: LIST, createConnection: () => connection as never },
      headers: { authorization: `Bearer ${job.token}`, host: 'server' },
    });
    outgoing.end();
    const [response] = await once(outgoing, 'response');
    expect(response.statusCode).toBe(403);
    connection.destroy();
  });

  it('is invalid while its user is not a member', async () => {
    const { id, token } = await runningJob();
    await server.call('/api/projects/main/remove_members', { usernames: ['bob'] });
    expect((await call(id, token, LIST)).status).toBe(403);
    expect((await call(id, token, '/api/users/get_my_user')).status).toBe(403);
    await join('manager');
    expect((await call(id, token, LIST)).status).toBe(200);
    expect((await call(id, token, '/api/project/main/secrets/list')).status).toBe(403);
    const state = (active: boolean) =>
      server.call('/api/users/update', { username: 'bob', global_role: 'user', active });
    await state(false);
    expect((await call(id, token, LIST)).status).toBe(403);
    await state(true);
    expect((await call(id, token, LIST)).status).toBe(200);
  });
});

describe('a connection of a job', () => {
  it('accepts other callers with their own tokens', async () => {
    const { id } = await runningJob();
    expect((await call(id, bob, '/api/users/get_my_user')).body.username).toBe('bob');
    expect((await call(id, 'wrong', LIST)).status).toBe(403);
  });

  it('is limited in its rate of requests', async () => {
    const { id, token } = await runningJob();
    const other = await runningJob();
    const statuses = async (count: number) => {
      const answers: number[] = [];
      for (let n = 0; n < count; n++) answers.push((await call(id, token, LIST)).status);
      return answers;
    };
    expect((await statuses(50)).every((status) => status === 200)).toBe(true);
    const late = await call(id, token, LIST);
    expect([late.status, late.headers['retry-after']]).toEqual([429, '1']);
    expect((await call(other.id, other.token, LIST)).status).toBe(200);
    now += 100;
    expect(await statuses(3)).toEqual([200, 200, 429]);
  });

  it('is opened only for jobs with access, and only from the host of the job', async () => {
    const allowed = await runningJob();
    const plain = await runningJob({ dstack: false });
    const over = await runningJob();
    await change(over, { status: 'done' });
    const before = opened.length;
    tunnels.fetch('local', plain.id, 'of a job that did not ask for it');
    tunnels.fetch('local', over.id, 'of a job that is over');
    tunnels.fetch('elsewhere', allowed.id, 'of another host');
    tunnels.fetch('local', '00000000-0000-4000-8000-000000000000', 'of no job');
    await connect(allowed.id);
    expect(opened.slice(before)).toEqual([`tunnel-${names}`]);
  });

  it('is opened however often another host reports tunnels of the job', async () => {
    const { id } = await runningJob();
    for (let n = 0; n < 200; n++) tunnels.fetch('elsewhere', id, 'of another host');
    await connect(id);
    expect(opened.at(-1)).toBe(`tunnel-${names}`);
  });

  it('is limited to 32 for each job', async () => {
    const job = await runningJob();
    const connections: Duplex[] = [];
    for (let n = 0; n < 32; n++) connections.push(await connect(job.id));
    const before = opened.length;
    tunnels.fetch('local', job.id, 'too many');
    const other = await runningJob();
    const another = await connect(other.id);
    expect(opened.slice(before)).toEqual([`tunnel-${names}`]);
    connections.pop()?.resume().end();
    await vi.waitFor(() => {
      tunnels.fetch('local', job.id, 'in its place');
      expect(opened.at(-1)).toBe('in its place');
    });
    for (const connection of [...connections, another]) connection.resume().end();
  });

  it('has an address that is unique to the job and never trusted', () => {
    expect(jobAddress('0123abcd-4567-4890-8abc-def012345678')).toBe(
      '2001:db8:0123:abcd:4567:4890:8abc:def0',
    );
  });
});
