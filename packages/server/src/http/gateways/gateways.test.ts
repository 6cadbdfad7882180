import { type EndpointName, endpoints } from '@dstack/contract/api';
import { type Change, defaultOnRunning, recordEvent } from '@dstack/core';
import { runRecord } from '@dstack/core/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { gateway } from '../../loops/work/gateway.ts';
import { passDeps } from '../testing/pass-deps.ts';
import { startTestServer, type TestAnswer, type TestServer } from '../testing/test-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.close());

const path = (action: string) => `/api/project/main/gateways/${action}`;
const spec = (name: string, more: object = {}) => ({
  configuration: {
    ...{ type: 'gateway', name, backend: 'aws', region: 'eu-west-1', domain: 'x.example' },
    ...more,
  },
  configuration_path: 'gateway.dstack.yml',
});
const plan = (name: string, more: object = {}): Promise<TestAnswer> =>
  server.call(path('get_plan'), { spec: spec(name, more) });
const apply = (
  name: string,
  more: object = {},
  current: unknown = null,
  force = false,
): Promise<TestAnswer> =>
  server.call(path('apply'), {
    plan: { spec: spec(name, more), current_resource: current },
    force,
  });
const get = (name: string): Promise<TestAnswer> => server.call(path('get'), { name });
const pass = (id: string) => gateway.work(passDeps(server))(id);

/** The token of a user whose project imports the gateway, and who sees nothing of this project. */
async function memberOfImporting(gateway: string): Promise<string> {
  await server.call('/api/projects/create', { project_name: 'importing' });
  await server.call('/api/users/create', { username: 'bob', global_role: 'user' });
  const members = [{ username: 'bob', project_role: 'user' }];
  await server.call('/api/projects/importing/add_members', { members });
  const exported = await server.call('/api/project/main/exports/create', {
    ...{ name: 'shared', importer_projects: ['importing'], exported_gateways: [gateway] },
  });
  expect(exported.status).toBe(200);
  return (await server.call('/api/users/get_user', { username: 'bob' })).body.creds.token;
}

/** Like a backend that can create gateways. */
async function become(name: string, status: 'running' | 'submitted' | 'failed'): Promise<void> {
  const project = await server.store.projects.byName('main');
  const view = await server.store.gateways.byName(project?.id ?? '', name);
  const { id = '', version = 0 } = view?.gateway ?? {};
  const snapshot = await server.store.engine.loadGateway(id);
  const changes: Change[] = snapshot && status === 'running' ? defaultOnRunning(snapshot) : [];
  await server.store.engine.apply([
    { type: 'gateway.update', id, version, set: { status } },
    ...changes,
  ]);
}
const run = (name: string) => become(name, 'running');

async function events(id: string): Promise<string[]> {
  const answer = await server.call('/api/events/list', { within_gateways: [id], ascending: true });
  return answer.body.map((event: { message: string }) => event.message);
}

function expectWire(name: EndpointName, body: unknown): void {
  expect(endpoints[name].response?.parse(body)).toEqual(body);
}

describe('gateways', () => {
  it('are planned and created, and none is the default of its project before it runs', async () => {
    const planned = await plan('first');
    expectWire('gateways.get_plan', planned.body);
    expect(planned.body).toMatchObject({ action: 'create', current_resource: null });
    const created = await apply('first');
    expectWire('gateways.apply', created.body);
    expect(created.body).toMatchObject({
      ...{ status: 'submitted', default: false, wildcard_domain: 'x.example', replicas: [] },
      configuration: { default: false },
    });
    expect((await server.store.projects.byName('main'))?.defaultGatewayId).toBeNull();
    const second = { configuration: spec('second').configuration };
    const other = await server.call(path('create'), second);
    expect(other.body.default).toBe(false);
    const again = await server.call(path('create'), second);
    expect(again.body.detail[0].code).toBe('resource_exists');
    expect(await events(created.body.id)).toEqual(['Gateway created. Status: SUBMITTED']);
  });

  it('cannot be the default until they run, but the setting is kept', async () => {
    const refused = await server.call(path('set_default'), { name: 'first' });
    expect(refused.body.detail[0].msg).toBe(
      'Gateway first is submitted: only a running gateway can be the default',
    );
    const meant = await apply('first', { default: true }, null, true);
    expect(meant.body.default).toBe(false);
    const { body } = await apply('first', { domain: 'w.example' }, null, true);
    const view = await server.store.gateways.byId(body.id);
    expect(view?.gateway.configuration.default).toBe(true);
    await run('first');
    expect((await get('first')).body).toMatchObject({ status: 'running', default: true });
    expect((await events(body.id)).at(-1)).toBe('Gateway set as project default');
    await apply('first', { domain: 'x.example' }, null, true);
  });

  it('are changed in place only by a caller who has read their present state', async () => {
    expect((await apply('first', { domain: 'y.example' })).body.detail[0].msg).toMatch(
      /has been changed/,
    );
    const planned = await plan('first', { domain: 'y.example' });
    expect(planned.body.action).toBe('update');
    expect(planned.body.effective_spec.configuration.default).toBe(true);
    const current = planned.body.current_resource;
    const updated = await apply('first', { domain: 'y.example' }, current);
    expect(updated.body).toMatchObject({ wildcard_domain: 'y.example', default: true });
    const tagged = { tags: { team: 'a' } };
    expect((await plan('first', tagged)).body.action).toBe('create');
    const refused = await apply('first', tagged, null, true);
    expect(refused.body.detail[0].msg).toMatch(/cannot be updated in-place\. Delete it/);
    const there = { domain: 'y.example', region: 'us-east-1' };
    expect((await plan('first', there)).body.action).toBe('update');
    const moved = await apply('first', there, null, true);
    expect(moved.body).toMatchObject({ region: 'us-east-1', status: 'running' });
    const unset = await apply('first', { domain: 'y.example', default: false }, null, true);
    expect(unset.body.default).toBe(false);
    await run('second');
    const taken = await apply('second', { default: true }, null, true);
    expect(taken.body.default).toBe(true);
    expect((await events(updated.body.id)).slice(-3)).toEqual([
      'Gateway updated. Changed fields: region',
      'Gateway updated. Changed fields: default, region',
      'Gateway unset as project default',
    ]);
  });

  it('have one default per project, and a domain that older clients set separately', async () => {
    expect((await server.call(path('set_default'), { name: 'first' })).text).toBe('null');
    const listed = await server.call(path('list'));
    const defaults = listed.body.map((one: { name: string; default: boolean }) => [
      one.name,
      one.default,
    ]);
    expect(Object.fromEntries(defaults)).toEqual({ first: true, second: false });
    const request = { name: 'first', wildcard_domain: '*.z.example' };
    const answer = await server.call(path('set_wildcard_domain'), request);
    expect(answer.body).toMatchObject({
      wildcard_domain: '*.z.example',
      configuration: { domain: '*.z.example' },
    });
    const foreign = { name: 'first', gateway_project: 'nosuch' };
    const missing = await server.call(path('set_default'), foreign);
    expect(missing.body.detail[0].code).toBe('resource_not_exists');
  });

  it('fail with a reason if no backend can create them, and can then be replaced', async () => {
    const { id } = (await get('first')).body;
    await become('first', 'submitted');
    await pass(id);
    const reason = 'Backend aws is not configured in project main';
    expect((await get('first')).body).toMatchObject({ status: 'failed', status_message: reason });
    expect((await events(id)).slice(-2)).toEqual([
      `Gateway status changed SUBMITTED -> FAILED (${reason})`,
      'Gateway unset as project default',
    ]);
    expect((await server.store.projects.byName('main'))?.defaultGatewayId).toBeNull();
    expect((await plan('first')).body.detail[0].msg).toMatch(/has failed .* Delete it/);
  });

  it('are no longer a default once they are deleted', async () => {
    const { id } = (await get('second')).body;
    await server.call(path('set_default'), { name: 'second' });
    expect((await server.call(path('delete'), { names: ['second', 'nosuch'] })).text).toBe('null');
    expect((await get('second')).body.default).toBe(false);
    expect((await plan('second')).body.detail[0].msg).toMatch(/is being deleted/);
    await pass(id);
    expect((await get('second')).body.detail[0].code).toBe('resource_not_exists');
    expect((await events(id)).slice(-3)).toEqual([
      'Gateway marked for deletion',
      'Gateway unset as project default',
      'Gateway deleted',
    ]);
    expect((await server.store.projects.byName('main'))?.defaultGatewayId).toBeNull();
  });

  it('keep the settings of ours when a client without them changes another field', async () => {
    const cluster = { backend: 'kubernetes', certificate: null };
    const settings = { kubernetes: { service: 'NodePort', node_ports: { http: 30_080 } } };
    const ours = { headers: { 'user-agent': 'dstack-cli' } };
    const wanted = spec('pods', { ...cluster, backend_settings: settings });
    const first = { plan: { spec: wanted, current_resource: null }, force: false };
    expect((await server.call(path('apply'), first, ours)).status).toBe(200);
    const { backend_settings, ...known } = (await get('pods')).body.configuration;
    expect(backend_settings).toMatchObject(settings);
    const seen = { ...(await get('pods')).body, configuration: known };
    expect((await plan('pods', { ...cluster, replicas: 2 })).body.action).toBe('update');
    const changed = await apply('pods', { ...cluster, replicas: 2 }, seen);
    expect(changed.body.configuration).toMatchObject({ replicas: 2, backend_settings: settings });
    const without = spec('pods', { ...cluster, replicas: 2 });
    const removed = await server.call(path('get_plan'), { spec: without }, ours);
    expect(removed.body.action).toBe('create');
  });

  it('are not deleted while services use them, unless it is forced or they have failed', async () => {
    const { id } = (await apply('busy')).body;
    await run('busy');
    const user = await server.store.users.byName('admin');
    const project = await server.store.projects.byName('main');
    const service = runRecord({
      ...{ projectId: project?.id ?? '', userId: user?.id ?? '', name: 'web', gatewayId: id },
      serviceSpec: {
        ...{ url: 'https://web.x.example', model: null, options: {} },
        hosts: ['chat.example.test/embed'],
      },
    });
    await server.store.engine.submitRun({
      ...{ projectId: service.projectId, name: { exact: 'web' } },
      superseded: () => recordEvent({ action: 'run.deleted', targets: [] }),
      build: () => ({ run: service, jobs: [] }),
    });
    const remove = (more: object = {}) => server.call(path('delete'), { names: ['busy'], ...more });
    expect((await remove()).body.detail[0].msg).toMatch(
      /^Gateway busy is used by a service \(web\)\. .* `dstack gateway delete busy --force`$/,
    );
    const shown = await get('busy');
    expectWire('gateways.get', shown.body);
    expect(shown.body.services).toEqual([
      {
        ...{ project_name: 'main', run_name: 'web' },
        urls: ['https://web.x.example', 'https://chat.example.test/embed'],
      },
    ]);
    const token = await memberOfImporting('busy');
    const imported = await server.call(path('get'), { name: 'busy' }, { token });
    expect(imported.body.services).toEqual([]);
    const explain = '/api/project/main/explain/runs/web';
    const explained = await server.call(explain, undefined, { method: 'GET' });
    expect(explained.body.summary).toContain('Its gateway does not serve requests');
    expect((await events(id)).at(-1)).not.toBe('Gateway marked for deletion');
    expect((await remove({ force: true })).status).toBe(200);
    expect((await events(id)).at(-1)).toBe('Gateway marked for deletion');
    const { version = 0 } = (await server.store.gateways.byId(id))?.gateway ?? {};
    await server.store.gateways.update(id, version, { toBeDeleted: false, status: 'failed' });
    expect((await remove()).status).toBe(200);
  });

  it('refuse new services until that is set back, also if another client changes them meanwhile', async () => {
    const ours = { headers: { 'user-agent': 'dstack-cli' } };
    const closing = spec('closed', { forbid_new_services: true });
    await apply('closed');
    const seen = (await get('closed')).body;
    const request = { plan: { spec: closing, current_resource: seen }, force: false };
    const { body: closed } = await server.call(path('apply'), request, ours);
    expect(closed.configuration.forbid_new_services).toBe(true);
    expect((await events(closed.id)).at(-1)).toBe(
      'Gateway updated. Changed fields: forbid_new_services',
    );
    const planned = await server.call(path('get_plan'), { spec: spec('closed') }, ours);
    expect(planned.body.effective_spec.configuration.forbid_new_services).toBe(true);
    const { forbid_new_services, ...known } = closed.configuration;
    const theirs = { ...closed, configuration: known };
    const changed = await apply('closed', { domain: 'c.example' }, theirs);
    expect(changed.body.configuration).toMatchObject({ domain: 'c.example', forbid_new_services });
    const opening = spec('closed', { domain: 'c.example', forbid_new_services: false });
    const again = { plan: { spec: opening, current_resource: changed.body }, force: false };
    const { body: opened } = await server.call(path('apply'), again, ours);
    expect(opened.configuration.forbid_new_services).toBe(false);
  });

  it.each([
    ['no gateways there', { backend: 'lambda' }, /does not support gateways/],
    [
      'no private ones there',
      { backend: 'azure', public_ip: false, certificate: null },
      /public_ip/,
    ],
    ['too many replicas', { replicas: 10, certificate: null }, /at most 9/],
    ['a certificate for an unreachable address', { public_ip: false }, /lets-encrypt/],
    ['a certificate of another cloud', { certificate: { type: 'gcp-cm', name: 'c' } }, /gcp/],
    ['a balancer with the wrong certificate', { load_balancer: { type: 'alb' } }, /acm/],
    ['a domain of an unknown form', { domain: '${{ secrets.x }}.org' }, /run\.project_name/],
  ])('are refused: %s', async (_what, more, message) => {
    expect((await plan('refused', more)).body.detail[0].msg).toMatch(message);
  });
});
