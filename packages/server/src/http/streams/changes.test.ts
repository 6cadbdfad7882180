import { type IncomingMessage, request } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { type ChangeType, FleetSpec } from '@dstack/contract/wire';
import { fleetRecord } from '@dstack/core/testing';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ChangeHub } from '../../changes/change-hub.ts';
import { loadMessages } from '../../changes/load-messages.ts';
import { MessageRing } from '../../changes/message-ring.ts';
import { RunChanges } from '../../loops/run-changes.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';
import { changeRoute } from './change-route.ts';

let server: TestServer;
let hub: ChangeHub;
let url: string;
let loads: number;
const closed: AbortController[] = [];

async function start(most?: { messages: number; characters: number }): Promise<void> {
  server = await startTestServer();
  const { store } = server;
  loads = 0;
  hub = new ChangeHub({
    changes: store.changes,
    load: (changes) => {
      loads += 1;
      return loadMessages(store, changes, server.deps.context().now);
    },
    log: server.deps.log,
    ring: new MessageRing('test', most),
  });
  const deps = { ...server.deps, logStore: server.logs, changes: new RunChanges(), hub };
  changeRoute(server.app, deps);
  await server.app.listen({ host: '127.0.0.1', port: 0 });
  url = `http://127.0.0.1:${(server.app.server.address() as AddressInfo).port}`;
}

beforeEach(() => start());
afterEach(async () => {
  for (const one of closed.splice(0)) one.abort();
  hub.close();
  await server.close();
});

interface Received {
  readonly event: string;
  readonly id: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look at parts of messages of every shape
  readonly data: any;
}

interface Stream {
  /** Null: the stream has ended. */
  next(): Promise<Received | null>;
  /** The next change of this type. */
  change(type: ChangeType): Promise<Received['data']>;
  close(): void;
  lastId: string;
}

function open(token = server.token, after: string | null = null, query = ''): Stream {
  const left = new AbortController();
  closed.push(left);
  const headers = {
    authorization: `Bearer ${token}`,
    ...(after === null ? {} : { 'last-event-id': after }),
  };
  const answer = fetch(`${url}/api/stream${query}`, { headers, signal: left.signal });
  const reader = answer.then(({ body }) => body?.pipeThrough(new TextDecoderStream()).getReader());
  let text = '';
  const stream: Stream = {
    lastId: '',
    async next() {
      while (!text.includes('\n\n')) {
        const { value, done } = (await (await reader)?.read()) ?? { done: true };
        if (done) return null;
        text += value;
      }
      const end = text.indexOf('\n\n');
      const lines = text.slice(0, end).split('\n');
      text = text.slice(end + 2);
      const field = (name: string) =>
        lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2) ?? '';
      stream.lastId = field('id');
      return { event: field('event'), id: field('id'), data: JSON.parse(field('data')) };
    },
    async change(type) {
      for (;;) {
        const found = await stream.next();
        if (found === null) throw new Error('the stream has ended');
        if (found.event === 'change' && found.data.type === type) return found.data;
      }
    },
    close: () => left.abort(),
  };
  return stream;
}

const RESET = (reason: string) => ({ event: 'reset', data: { reason } });
const READY = { event: 'ready', data: { resumed: false } };

async function ready(token?: string): Promise<Stream> {
  const stream = open(token);
  expect(await stream.next()).toMatchObject(READY);
  return stream;
}

const api = async (path: string, body: unknown, token?: string) => {
  const answer = await server.call(path, body, token === undefined ? {} : { token });
  if (answer.status !== 200) throw new Error(answer.text);
  return answer.body;
};

async function user(username: string, project: string | null = null): Promise<string> {
  await api('/api/users/create', { username, global_role: 'user' });
  const members = [{ username, project_role: 'user' }];
  if (project !== null) await api(`/api/projects/${project}/add_members`, { members });
  return (await api('/api/users/get_user', { username })).creds.token;
}

function submit(run_name: string, project = 'main') {
  const run_spec = { run_name, configuration: { type: 'task', commands: ['true'] } };
  const plan = { run_spec, current_resource: null };
  return api(`/api/project/${project}/runs/apply`, { plan, force: false });
}

const secret = (name: string, project = 'main') =>
  api(`/api/project/${project}/secrets/create_or_update`, { name, value: 'v' });

describe('a stream of changes', () => {
  it('sends a new run as the list returns it, its job, and its event', async () => {
    const stream = await ready();
    const applied = await submit('train');
    const run = await stream.change('run');
    const [listed] = await api('/api/runs/list', { job_submissions_limit: 1 });
    expect(run).toMatchObject({ id: applied.id, project: 'main', version: 0 });
    expect({ ...run.data, cost: 0 }).toEqual({ ...listed, cost: 0 });
    expect(await stream.change('job')).toMatchObject({
      id: applied.jobs[0].job_submissions[0].id,
      project: 'main',
      data: { run_name: 'train', replica_num: 0, job_num: 0, status: 'submitted' },
    });
    expect((await stream.change('event')).data).toMatchObject({ targets: [{ name: 'train' }] });
    await api('/api/project/main/runs/stop', { runs_names: ['train'], abort: true });
    expect(await stream.change('run')).toMatchObject({ data: { status: 'terminating' } });
  });

  it('works without stored events', async () => {
    await submit('train');
    const { store } = server;
    const stream = await ready();
    vi.spyOn(store.events, 'byIds').mockResolvedValue([]);
    await api('/api/project/main/runs/stop', { runs_names: ['train'], abort: true });
    expect(await stream.change('run')).toMatchObject({ data: { status: 'terminating' } });
  });

  it('sends fleets, volumes and parts of projects', async () => {
    const stream = await ready();
    const spec = { configuration: { type: 'fleet', name: 'pool', nodes: 0 }, profile: {} };
    await api('/api/project/main/fleets/apply', { plan: { spec }, force: false });
    expect(await stream.change('fleet')).toMatchObject({ data: { name: 'pool', instances: [] } });
    await secret('key');
    expect(await stream.change('project')).toMatchObject({
      project: 'main',
      version: null,
      data: { part: 'secrets' },
    });
  });

  it('has only what the caller may see', async () => {
    await api('/api/projects/create', { project_name: 'other' });
    const token = await user('ann', 'main');
    const stream = await ready(token);
    const admin = await ready();
    await secret('hidden', 'other');
    await submit('hidden', 'other');
    await user('bob');
    await secret('shown');
    expect(await stream.next()).toMatchObject({
      data: { type: 'project', project: 'main', data: { part: 'secrets' } },
    });
    expect(await admin.change('project')).toMatchObject({ project: 'other' });
    expect(await admin.change('run')).toMatchObject({ project: 'other' });
    expect(await admin.change('user')).toMatchObject({ data: { part: 'settings' } });
  });

  it('has the project of a program only, and nothing of its owner', async () => {
    await api('/api/projects/create', { project_name: 'other' });
    const made = await api('/api/project/main/service_tokens/create', { name: 'ci' });
    const stream = await ready(made.token);
    await secret('hidden', 'other');
    await api('/api/users/refresh_ssh_key', { username: 'admin' });
    await secret('shown');
    expect(await stream.next()).toMatchObject({
      data: { type: 'project', project: 'main', data: { part: 'secrets' } },
    });
  });

  it('has imported fleets', async () => {
    await api('/api/projects/create', { project_name: 'lender' });
    const token = await user('ann', 'main');
    const spec = FleetSpec.parse({
      configuration: {
        type: 'fleet',
        name: 'lent',
        ssh_config: { user: 'root', hosts: ['10.0.0.1'] },
      },
      configuration_path: 'fleet.dstack.yml',
      profile: { name: 'default' },
    });
    const projectId = (await server.store.projects.byName('lender'))?.id ?? '';
    const { newId } = server.deps.context();
    const id = newId();
    await server.store.engine.createFleet({
      projectId,
      name: { exact: 'lent' },
      build: () => ({ fleet: fleetRecord({ id, projectId, name: 'lent', spec }), instances: [] }),
    });
    const stream = await ready(token);
    const exported = { name: 'share', importer_projects: ['main'], exported_fleets: ['lent'] };
    await api('/api/project/lender/exports/create', exported);
    expect(await stream.next()).toMatchObject(RESET('access'));
    await secret('hidden', 'lender');
    await api('/api/project/lender/fleets/delete', { names: ['lent'] });
    expect(await stream.change('fleet')).toMatchObject({
      ...{ id, project: 'lender' },
      data: { name: 'lent', status: 'terminating' },
    });
  });

  it('sends only the types that were requested', async () => {
    const stream = open(server.token, null, '?types=run');
    await stream.next();
    await secret('key');
    await submit('train');
    expect(await stream.next()).toMatchObject({ data: { type: 'run' } });
  });

  it('combines changes of one record that come at once', async () => {
    await submit('train');
    const stream = await ready();
    const names = Array.from({ length: 50 }, (_, i) => `key-${i}`);
    await Promise.all(names.map((name) => secret(name)));
    await submit('last');
    let count = 0;
    for (;;) {
      const found = await stream.next();
      if (found?.data.type === 'project') count += 1;
      if (found?.data.type === 'run') break;
    }
    expect(count).toBeLessThan(50);
  });

  it('reads nothing without listeners', async () => {
    await submit('train');
    expect([loads, hub.listeners]).toEqual([0, 0]);
  });

  it('leaves out the data of a large record', async () => {
    const stream = await ready();
    const commands = ['x'.repeat(70_000)];
    const run_spec = { run_name: 'large', configuration: { type: 'task', commands } };
    await api('/api/project/main/runs/apply', {
      plan: { run_spec, current_resource: null },
      force: false,
    });
    const run = await stream.change('run');
    expect(Object.keys(run)).toEqual(['type', 'id', 'project', 'version']);
  });

  it.each(['?types=nonsense', '?types=run,nonsense'])('is refused for %s', async (query) => {
    const headers = { authorization: `Bearer ${server.token}` };
    expect((await fetch(`${url}/api/stream${query}`, { headers })).status).toBe(400);
    expect(server.access.watched).toBe(0);
  });

  it('is refused without a token', async () => {
    expect((await fetch(`${url}/api/stream`)).status).toBe(401);
  });

  it('is limited in number per user', async () => {
    const many = await Promise.all(Array.from({ length: 200 }, () => ready()));
    const headers = { authorization: `Bearer ${server.token}` };
    const refused = await fetch(`${url}/api/stream`, { headers });
    expect([refused.status, ((await refused.json()) as { detail: string }).detail]).toEqual([
      429,
      expect.stringContaining('200 streams'),
    ]);
    const ann = await ready(await user('ann', 'main'));
    await secret('news');
    for (const stream of [...many, ann]) await stream.change('project');
  });
});

describe('a stream that is opened again', () => {
  it('continues after the last message', async () => {
    const first = await ready();
    await secret('one');
    await first.change('event');
    first.close();
    await secret('two');
    const again = open(server.token, first.lastId);
    expect(await again.next()).toMatchObject({ event: 'ready', data: { resumed: true } });
    expect(await again.change('project')).toMatchObject({ data: { part: 'secrets' } });
    await submit('train');
    expect(await again.change('run')).toMatchObject({ project: 'main' });
  });

  it.each(['test-99', 'other-0', 'test-', 'nonsense', '-'])('begins again after %j', async (id) => {
    const stream = open(server.token, id);
    expect(await stream.next()).toMatchObject(RESET('gap'));
    await secret('one');
    expect(await stream.change('project')).toMatchObject({ data: { part: 'secrets' } });
  });

  it('begins again if the messages are no longer kept', async () => {
    hub.close();
    await server.close();
    await start({ messages: 2, characters: 1_000_000 });
    const first = await ready();
    const other = await ready();
    first.close();
    for (const name of ['one', 'two', 'three']) {
      await secret(name);
      await other.change('event');
    }
    const again = open(server.token, first.lastId);
    expect(await again.next()).toMatchObject(RESET('gap'));
  });

  it('begins again when changes of other servers may be lost', async () => {
    const stream = await ready();
    hub.ring.skip();
    await secret('one');
    expect(await stream.next()).toMatchObject(RESET('gap'));
  });
});

describe('revoked access', () => {
  it.each([
    ['the token is replaced', (username: string) => api('/api/users/refresh_token', { username })],
    ['the user is deleted', (username: string) => api('/api/users/delete', { users: [username] })],
  ])('ends the stream when %s', async (_what, revoke) => {
    const stream = await ready(await user('ann', 'main'));
    await revoke('ann');
    for (;;) if ((await stream.next()) === null) break;
    expect(server.access.watched).toBe(0);
  });

  it('to a project leaves the others', async () => {
    await api('/api/projects/create', { project_name: 'other' });
    const token = await user('ann', 'main');
    const members = [{ username: 'ann', project_role: 'user' }];
    await api('/api/projects/other/add_members', { members });
    const stream = await ready(token);
    await api('/api/projects/other/remove_members', { usernames: ['ann'] });
    expect(await stream.next()).toMatchObject(RESET('access'));
    await secret('hidden', 'other');
    await submit('shown');
    expect(await stream.change('run')).toMatchObject({ project: 'main' });
  });

  it('sends nothing while access is checked', async () => {
    await api('/api/projects/create', { project_name: 'other' });
    const token = await user('ann', 'main');
    const stream = await ready(token);
    const { idsOfMember } = server.store.projects;
    const checked = Promise.withResolvers<void>();
    vi.spyOn(server.store.projects, 'idsOfMember').mockImplementationOnce(async (id) => {
      await checked.promise;
      return await idsOfMember(id);
    });
    await api('/api/projects/main/remove_members', { usernames: ['ann'] });
    await submit('hidden');
    checked.resolve();
    await secret('hidden');
    expect(await stream.next()).toMatchObject(RESET('access'));
    await user('bob');
    stream.close();
  });

  it('is granted to a new project at once', async () => {
    const token = await user('ann', 'main');
    const stream = await ready(token);
    await api('/api/projects/create', { project_name: 'mine' }, token);
    expect(await stream.next()).toMatchObject(RESET('access'));
    await secret('shown', 'mine');
    expect(await stream.change('project')).toMatchObject({ project: 'mine' });
  });
});

describe('a slow reader', () => {
  const audience = { projectIds: [], userIds: [], sharedId: null };

  /** Resolves when the streams have sent what they can. */
  async function wake(): Promise<void> {
    const before = hub.ring.next;
    await secret('wake', 'main');
    await api('/api/project/main/secrets/delete', { secrets_names: ['wake'] });
    await vi.waitFor(() => expect(hub.ring.next).toBeGreaterThan(before), { interval: 5 });
  }

  /** Reads nothing after the head of the answer. */
  async function stuck(): Promise<IncomingMessage> {
    const headers = { authorization: `Bearer ${server.token}` };
    const response = await new Promise<IncomingMessage>((resolve) => {
      request(`${url}/api/stream`, { headers }, resolve).end();
    });
    response.pause();
    return response;
  }

  it('costs no more memory than the messages that all share, and then is reset', async () => {
    hub.close();
    await server.close();
    await start({ messages: 50, characters: 10_000_000 });
    const sockets: Socket[] = [];
    server.app.server.on('connection', (socket: Socket) => sockets.push(socket));
    const response = await stuck();
    const data = JSON.stringify({ filler: 'x'.repeat(60_000) });
    for (let round = 0; round < 20; round++) {
      for (let i = 0; i < 20; i++) hub.ring.push({ type: 'event', audience, data });
      await wake();
    }
    expect(sockets).toHaveLength(1);
    expect(sockets[0]?.writableLength).toBeLessThan(1_000_000);
    let text = '';
    response.setEncoding('utf8').on('data', (part: string) => {
      text += part;
    });
    response.resume();
    await vi.waitFor(() => expect(text).toContain('event: reset\ndata: {"reason":"gap"}'));
    response.destroy();
  });

  it('is disconnected when it reads nothing for long', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    try {
      const response = await stuck();
      const closed = new Promise((resolve) => response.once('close', resolve));
      const data = JSON.stringify({ filler: 'x'.repeat(1_000_000) });
      for (let i = 0; i < 8; i++) hub.ring.push({ type: 'event', audience, data });
      await wake();
      vi.advanceTimersByTime(46_000);
      response.resume();
      await closed;
      expect(hub.listeners).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });
});
