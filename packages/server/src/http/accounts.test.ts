import { type EndpointName, endpoints } from '@dstack/contract/api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestServer, type TestServer } from './testing/test-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.close());

function expectWire(name: EndpointName, body: unknown): void {
  expect(endpoints[name].response?.parse(body)).toEqual(body);
}

async function newUser(username: string): Promise<string> {
  await server.call('/api/users/create', { username, global_role: 'user' });
  return (await server.call('/api/users/get_user', { username })).body.creds.token;
}

describe('users', () => {
  it('can read their own token and key pair', async () => {
    const me = await server.call('/api/users/get_my_user');
    expectWire('users.get_my_user', me.body);
    expect(me.body).toMatchObject({ username: 'admin', creds: { token: server.token } });
    expect(me.body.ssh_public_key).toMatch(/^ssh-rsa \S+ admin\n$/);
    expect(me.body.ssh_private_key).toMatch(/^-----BEGIN PRIVATE KEY-----/);
  });

  it('lose an old token at once', async () => {
    const token = await newUser('turner');
    const answer = await server.call('/api/users/refresh_token', { username: 'turner' }, { token });
    expect(answer.body.creds.token).not.toBe(token);
    expect((await server.call('/api/users/get_my_user', undefined, { token })).status).toBe(403);
  });

  it('that are inactive or deleted are not authenticated', async () => {
    const token = await newUser('leaver');
    const inactive = { username: 'leaver', global_role: 'user', active: false };
    await server.call('/api/users/update', inactive);
    expect((await server.call('/api/users/get_my_user', undefined, { token })).status).toBe(403);
    await server.call('/api/users/update', { username: 'leaver', global_role: 'user' });
    expect((await server.call('/api/users/get_my_user', undefined, { token })).status).toBe(200);
    await server.call('/api/users/delete', { users: ['leaver'] });
    expect((await server.call('/api/users/get_my_user', undefined, { token })).status).toBe(403);
  });

  it('that are admins cannot lock themselves out', async () => {
    for (const change of [{ global_role: 'user' }, { global_role: 'admin', active: false }]) {
      const answer = await server.call('/api/users/update', { username: 'admin', ...change });
      expect([answer.status, answer.body.detail[0].code]).toEqual([400, 'error']);
    }
    await server.call('/api/users/create', { username: 'second', global_role: 'admin' });
    const second = await server.call('/api/users/get_user', { username: 'second' });
    const { token } = second.body.creds;
    const leave = await server.call('/api/users/delete', { users: ['Second'] }, { token });
    expect([leave.status, leave.body.detail[0].code]).toEqual([400, 'error']);
    const email = { username: 'admin', global_role: 'admin', email: 'a@example.org' };
    expect((await server.call('/api/users/update', email)).status).toBe(200);
    const demoted = { username: 'second', global_role: 'user' };
    expect((await server.call('/api/users/update', demoted)).status).toBe(200);
    expect((await server.call('/api/users/delete', { users: ['second'] })).status).toBe(200);
  });

  it('are listed to admins only, others see only themselves', async () => {
    const token = await newUser('lonely');
    const own = await server.call('/api/users/list', undefined, { token });
    expect(own.body.map((user: { username: string }) => user.username)).toEqual(['lonely']);
    const total = await server.call('/api/users/list', { return_total_count: true, limit: 1 });
    expectWire('users.list', total.body);
    expect(total.body.total_count).toBeGreaterThan(1);
  });
});

describe('projects', () => {
  it('can be joined by any user if they are public, only as a plain user and only for oneself', async () => {
    const token = await newUser('joiner');
    await server.call('/api/projects/create', { project_name: 'open', is_public: true });
    const add = (members: object[]) =>
      server.call('/api/projects/open/add_members', { members }, { token });
    expect((await add([{ username: 'joiner', project_role: 'admin' }])).status).toBe(403);
    expect((await add([{ username: 'lonely', project_role: 'user' }])).status).toBe(403);
    const joined = await add([{ username: 'joiner', project_role: 'user' }]);
    expectWire('projects.add_members', joined.body);
    expect(joined.body.members).toHaveLength(2);
    const left = await server.call(
      '/api/projects/open/remove_members',
      { usernames: ['joiner'] },
      { token },
    );
    expect(left.body.members).toHaveLength(1);
  });

  it('keep their last admin, and managers cannot remove admins', async () => {
    const token = await newUser('manager');
    await server.call('/api/projects/create', { project_name: 'kept' });
    const members = [{ username: 'manager', project_role: 'manager' }];
    await server.call('/api/projects/kept/add_members', { members });
    const set = (list: object[]) =>
      server.call('/api/projects/kept/set_members', { members: list }, { token });
    expect((await set(members)).status).toBe(403);
    const both = [{ username: 'admin', project_role: 'admin' }, ...members];
    expect((await set(both)).status).toBe(200);
    const last = await server.call('/api/projects/kept/remove_members', { usernames: ['admin'] });
    expect(last.body.detail[0].msg).toMatch(/needs an admin/);
  });

  it('are limited in number for users who are not admins', async () => {
    const token = await newUser('hoarder');
    for (let i = 0; i < 10; i++) {
      const project_name = `hoard${i}`;
      expect((await server.call('/api/projects/create', { project_name }, { token })).status).toBe(
        200,
      );
    }
    const more = await server.call('/api/projects/create', { project_name: 'more' }, { token });
    expect(more.body.detail[0].msg).toMatch(/quota exceeded/);
  });

  it('with active runs cannot be deleted', async () => {
    await server.call('/api/projects/create', { project_name: 'running' });
    const run_spec = { run_name: 'job', configuration: { type: 'task', commands: ['true'] } };
    const run = await server.call('/api/project/running/runs/apply', {
      plan: { run_spec },
      force: false,
    });
    expect(run.status).toBe(200);
    const refused = await server.call('/api/projects/delete', { projects_names: ['running'] });
    expect(refused.body.detail[0].msg).toBe(
      "Failed to delete project with active runs: ['running']",
    );
  });

  it('are listed with the members only of the requested user', async () => {
    const answer = await server.call('/api/projects/list', { username: 'manager' });
    expectWire('projects.list', answer.body);
    expect(answer.body).toMatchObject([
      { project_name: 'kept', members: [{ user: { username: 'manager' } }] },
    ]);
  });
});

describe('secrets', () => {
  it('are shown with their value only one by one, and saving an unchanged one creates no event', async () => {
    const path = '/api/project/main/secrets';
    const secret = { name: 'TOKEN', value: 'x1-and-more' };
    const set = await server.call(`${path}/create_or_update`, secret);
    expectWire('secrets.create_or_update', set.body);
    await server.call(`${path}/create_or_update`, secret);
    const { id, name } = set.body;
    expect((await server.call(`${path}/list`)).body).toEqual([{ id, name, value: null }]);
    expect((await server.call(`${path}/get`, { name: 'TOKEN' })).body.value).toBe('x1-and-more');
    const events = await server.call('/api/events/list', { target_secrets: [set.body.id] });
    expect(events.body).toHaveLength(1);
    const unknown = await server.call(`${path}/delete`, { secrets_names: ['TOKEN', 'nosuch'] });
    expect(unknown.body.detail[0]).toEqual({
      msg: 'Secrets not found: nosuch',
      code: 'resource_not_exists',
    });
  });

  it.each([
    ['abc', 1],
    [' ab\n', 1],
    ['abcd', 0],
  ])('of the value %j get %i notes about values that are not masked', async (value, count) => {
    const secret = { name: 'SHORT', value };
    const set = await server.call('/api/project/main/secrets/create_or_update', secret);
    expectWire('secrets.create_or_update', set.body);
    expect(set.body.notes).toHaveLength(count);
    for (const note of set.body.notes) expect(note).toMatch(/SHORT .*not masked/);
  });
});

describe('logs', () => {
  it('are returned in pages of base64 text', async () => {
    const jobId = '7971ea15-4056-4bef-8833-c93e0e7d5128';
    const ref = { project: 'main', run: 'train', jobId };
    const time = Date.UTC(2026, 10, 24, 12) * 1000;
    await server.logs.append(ref, 0, time, Buffer.from('one\ntwo\nthree\n'));
    await server.logs.end(ref);
    const request = { run_name: 'train', job_submission_id: jobId, limit: 2 };
    const first = await server.call('/api/project/main/logs/poll', request);
    expectWire('logs.poll', first.body);
    const text = (body: { logs: { message: string }[] }) =>
      body.logs.map((event) => Buffer.from(event.message, 'base64').toString()).join('');
    expect(text(first.body)).toBe('one\ntwo\n');
    const next = await server.call('/api/project/main/logs/poll', {
      ...request,
      next_token: first.body.next_token,
    });
    expect([text(next.body), next.body.next_token]).toEqual(['three\n', null]);
    const other = { ...request, run_name: 'other' };
    expect((await server.call('/api/project/main/logs/poll', other)).body.logs).toEqual([]);
  });
});
