import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { RunChanges } from '../../loops/run-changes.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';
import { streamRoutes } from './routes.ts';

let server: TestServer;
let url: string;
let jobId: string;

beforeAll(async () => {
  server = await startTestServer();
  const changes = new RunChanges();
  streamRoutes(server.app, { ...server.deps, logStore: server.logs, changes });
  await server.app.listen({ host: '127.0.0.1', port: 0 });
  url = `http://127.0.0.1:${(server.app.server.address() as AddressInfo).port}`;
  const run_spec = { run_name: 'seen', configuration: { type: 'task', commands: ['true'] } };
  const plan = { run_spec, current_resource: null };
  const { body } = await server.call('/api/project/main/runs/apply', { plan, force: false });
  jobId = body.jobs[0].job_submissions[0].id;
});
afterAll(() => server.close());

const api = async (path: string, body: unknown) => {
  const answer = await server.call(path, body);
  if (answer.status !== 200) throw new Error(answer.text);
  return answer.body;
};

/** A new member of `main`; returns their token. */
async function member(username: string): Promise<string> {
  await api('/api/users/create', { username, global_role: 'user' });
  const members = [{ username, project_role: 'user' }];
  await api('/api/projects/main/add_members', { members });
  return (await api('/api/users/get_user', { username })).creds.token;
}

async function program(username: string): Promise<string> {
  const request = { name: username, scope: 'read', expires_in: null };
  return (await api('/api/project/main/service_tokens/create', request)).token;
}

const revocations: [
  string,
  (name: string) => Promise<string>,
  (username: string) => Promise<unknown>,
][] = [
  ['a token is replaced', member, (username) => api('/api/users/refresh_token', { username })],
  ['a user is deleted', member, (username) => api('/api/users/delete', { users: [username] })],
  [
    'a user is switched off',
    member,
    (username) => api('/api/users/update', { username, global_role: 'user', active: false }),
  ],
  [
    'a member is removed',
    member,
    (username) => api('/api/projects/main/remove_members', { usernames: [username] }),
  ],
  [
    'the members are set anew',
    member,
    () =>
      api('/api/projects/main/set_members', {
        members: [{ username: 'admin', project_role: 'admin' }],
      }),
  ],
  [
    'the token of a program is deleted',
    program,
    (name) => api('/api/project/main/service_tokens/delete', { names: [name] }),
  ],
];

const streams = [
  ['events', () => 'events/stream'],
  ['a run', () => 'runs/watch?run_name=seen'],
  ['logs', () => `logs/stream?run_name=seen&job_submission_id=${jobId}`],
] as const;

const cases = revocations.flatMap(([what, ...how]) =>
  streams.map(([which, path]) => [which, what, path, ...how] as const),
);

describe('a stream', () => {
  it.each(cases)('of %s ends at once when %s', async (which, what, path, make, revoke) => {
    const name = `${which}-${what}`.replaceAll(/\W/g, '-').slice(0, 50);
    const headers = { authorization: `Bearer ${await make(name)}` };
    const response = await fetch(`${url}/api/project/main/${path()}`, { headers });
    expect(response.status).toBe(200);
    await revoke(name);
    // Ends without an error.
    await response.text();
    const again = await fetch(`${url}/api/project/main/${path()}`, { headers });
    expect(again.status).toBe(403);
  });

  it.each([
    ['signs out', '/api/session'],
    ['signs out everywhere', '/api/session/all'],
  ])('opened in a session ends at once when the user %s', async (what, path) => {
    const token = await member(what.replaceAll(' ', '-'));
    const opened = await server.call('/api/session', {}, { token });
    const headers = {
      cookie: String(opened.headers['set-cookie']).split(';')[0] ?? '',
      'x-dstack-session': opened.body.key,
    };
    const stream = await fetch(`${url}/api/project/main/events/stream`, { headers });
    expect(stream.status).toBe(200);
    const ended = await server.call(path, undefined, {
      ...{ token: null, method: 'DELETE' },
      headers: { ...headers, origin: 'http://localhost' },
    });
    expect(ended.status).toBe(200);
    await stream.text();
    expect((await fetch(`${url}/api/project/main/events/stream`, { headers })).status).toBe(401);
  });

  it('continues for all other callers', async () => {
    const [one, two] = [await member('leaves'), await member('stays')];
    const open = (token: string) =>
      fetch(`${url}/api/project/main/events/stream`, {
        headers: { authorization: `Bearer ${token}` },
      });
    const [leaves, stays] = await Promise.all([open(one), open(two)]);
    await api('/api/projects/main/remove_members', { usernames: ['leaves'] });
    await leaves.text();
    await api('/api/project/main/secrets/create_or_update', { name: 'news', value: 'v' });
    const reader = stays.body?.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    while (!text.includes('"news"')) text += (await reader?.read())?.value ?? '';
    await reader?.cancel();
  });

  it('is no longer watched when its clients have disconnected', async () => {
    const disconnected = new AbortController();
    const headers = { authorization: `Bearer ${server.token}` };
    const left = once(server.app.server, 'request').then(([, response]) => once(response, 'close'));
    await fetch(`${url}/api/project/main/events/stream`, { headers, signal: disconnected.signal });
    expect(server.access.watched).toBe(1);
    disconnected.abort();
    await left;
    expect(server.access.watched).toBe(0);
  });

  it('ends when its client disconnects before it is admitted', async () => {
    const { byToken } = server.store.users;
    const disconnected = once(server.app.server, 'request').then(([, response]) => {
      return once(response, 'close');
    });
    const identified = vi.spyOn(server.store.users, 'byToken').mockImplementation(async (token) => {
      client.abort();
      await disconnected;
      return await byToken.call(server.store.users, token);
    });
    const released = vi.spyOn(server.access, 'admit');
    const client = new AbortController();
    const headers = { authorization: `Bearer ${server.token}` };
    const events = `${url}/api/project/main/events/stream`;
    await expect(fetch(events, { headers, signal: client.signal })).rejects.toThrow();
    await released.mock.results[0]?.value;
    await new Promise((resolve) => setImmediate(resolve));
    expect(server.access.watched).toBe(0);
    identified.mockRestore();
    released.mockRestore();
  });
});
