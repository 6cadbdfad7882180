import { type EndpointName, endpoints } from '@dstack/contract/api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestServer, type TestServer } from '../testing/test-server.ts';

let server: TestServer;
const tokens: Record<string, string> = {};

const base = '/api/project/main/service_tokens';
const create = (body: object) => server.call(`${base}/create`, body);
const as = (scope: string, path: string, body?: unknown) =>
  server.call(path, body, { token: tokens[scope] ?? '' });

function expectWire(name: EndpointName, body: unknown): void {
  expect(endpoints[name].response?.parse(body)).toEqual(body);
}

beforeAll(async () => {
  server = await startTestServer();
  await server.call('/api/projects/create', { project_name: 'other' });
  for (const scope of ['read', 'user', 'manager', 'admin']) {
    const answer = await create({ name: `for-${scope}`, scope });
    expectWire('service_tokens.create', answer.body);
    tokens[scope] = answer.body.token;
  }
});
afterAll(() => server.close());

const profile = { name: 'default' };
const configuration = { type: 'fleet', name: 'pool', nodes: '0..1' };
const apply = { spec: { configuration, profile } };

describe('service tokens', () => {
  it('are shown once, and listed with their last use but without the token', async () => {
    expect(tokens.read).toMatch(/^dstack_st_[\w-]{43}$/);
    await as('read', '/api/project/main/runs/get', { run_name: 'x' });
    const listed = await server.call(`${base}/list`);
    expectWire('service_tokens.list', listed.body);
    expect(listed.text).not.toContain('dstack_st_');
    const read = listed.body.find((one: { name: string }) => one.name === 'for-read');
    expect(read).toMatchObject({ scope: 'read', created_by: 'admin', expires_at: null });
    expect(read.last_used_at).not.toBeNull();
  });

  it('with scope read can read the project and change nothing', async () => {
    expect((await as('read', '/api/project/main/fleets/list')).status).toBe(200);
    expect((await as('read', '/api/projects/main/get')).status).toBe(200);
    const plan = await as('read', '/api/project/main/fleets/get_plan', apply);
    expect(plan.status).toBe(200);
    const changed = await as('read', '/api/project/main/fleets/apply', {
      plan: apply,
      force: false,
    });
    expect(changed.status).toBe(403);
    expect(changed.body.detail.msg).toContain('may only read');
    expect((await as('read', '/api/project/main/secrets/list')).status).toBe(403);
  });

  it.each([
    ['user', 200, 403, 403],
    ['manager', 200, 403, 403],
    ['admin', 200, 200, 200],
  ])('with scope %s may do what that role may', async (scope, applied, secrets, exports) => {
    const body = { plan: apply, force: true };
    expect((await as(scope, '/api/project/main/fleets/apply', body)).status).toBe(applied);
    expect((await as(scope, '/api/project/main/secrets/list')).status).toBe(secrets);
    const shared = await as(scope, '/api/project/main/exports/create', { name: 'shared' });
    expect(shared.status).toBe(exports);
  });

  it.each([
    ['another project', '/api/project/other/fleets/list', undefined],
    ['users', '/api/users/get_my_user', undefined],
    ['all users', '/api/users/list', undefined],
    ['new projects', '/api/projects/create', { project_name: 'mine' }],
    ['members', '/api/projects/main/set_members', { members: [] }],
    ['further tokens', `${base}/create`, { name: 'next' }],
    ['credentials of repos', '/api/project/main/repos/get', { repo_id: 'r', include_creds: true }],
    [
      'other projects by an export',
      '/api/project/main/exports/create',
      { name: 'out', importer_projects: ['other'] },
    ],
  ])('of an admin do not reach %s', async (_what, path, body) => {
    expect((await as('admin', path, body)).status).toBe(403);
  });

  it("list only their own project's items across projects", async () => {
    const spec = { configuration: { ...configuration, name: 'foreign' }, profile };
    await server.call('/api/project/other/fleets/apply', { plan: { spec }, force: false });
    const fleets = await as('read', '/api/fleets/list', {});
    const names = fleets.body.map((fleet: { name: string }) => fleet.name);
    expect(names).toEqual(['pool']);
    expect((await as('read', '/api/fleets/list', { project_name: 'other' })).body).toEqual([]);
    const events = await as('read', '/api/events/list', {});
    expect(events.text).not.toContain('foreign');
  });

  it('have their own project as the only one, so that a command line needs no name of it', async () => {
    for (const scope of ['read', 'admin']) {
      const { body } = await as(scope, '/api/projects/list', { include_not_joined: true });
      expect(body.map((one: { project_name: string }) => one.project_name)).toEqual(['main']);
    }
    const counted = { return_total_count: true, name_pattern: 'other' };
    const foreign = await as('read', '/api/projects/list', counted);
    expect(foreign.body).toEqual({ total_count: 0, projects: [] });
  });

  it('expire, and end with their owner', async () => {
    const short = await create({ name: 'short', expires_in: 60 });
    tokens.short = short.body.token;
    const path = '/api/project/main/fleets/list';
    expect((await as('short', path)).status).toBe(200);
    server.advance(61);
    expect((await as('short', path)).status).toBe(403);

    await server.call('/api/users/create', { username: 'ann', global_role: 'user' });
    const ann = await server.call('/api/users/get_user', { username: 'ann' });
    const members = [{ username: 'ann', project_role: 'admin' }];
    await server.call('/api/projects/main/add_members', { members });
    const made = await server.call(
      `${base}/create`,
      { name: 'anns', scope: 'admin' },
      { token: ann.body.creds.token },
    );
    tokens.ann = made.body.token;
    expect((await as('ann', '/api/project/main/secrets/list')).status).toBe(200);
    const lower = [{ username: 'ann', project_role: 'user' }];
    await server.call('/api/projects/main/add_members', { members: lower });
    expect((await as('ann', '/api/project/main/secrets/list')).status).toBe(403);
    expect((await as('ann', path)).status).toBe(200);
    await server.call('/api/users/delete', { users: ['ann'] });
    expect((await as('ann', path)).status).toBe(403);
  });

  it('are revoked by name, all or none', async () => {
    const unknown = await server.call(`${base}/delete`, { names: ['for-user', 'nosuch'] });
    expect(unknown.body.detail[0]).toEqual({
      msg: 'Service tokens not found: nosuch',
      code: 'resource_not_exists',
    });
    expect((await as('user', '/api/project/main/fleets/list')).status).toBe(200);
    expect((await server.call(`${base}/delete`, { names: ['for-user'] })).text).toBe('null');
    expect((await as('user', '/api/project/main/fleets/list')).status).toBe(403);
    expect((await create({ name: 'for-read' })).body.detail[0].code).toBe('resource_exists');
  });
});
