import { type EndpointName, endpoints } from '@dstack/contract/api';
import { FleetSpec } from '@dstack/contract/wire';
import type { FleetRecord } from '@dstack/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestServer, type TestServer } from '../testing/test-server.ts';

let server: TestServer;
const tokens: Record<string, string> = {};

beforeAll(async () => {
  server = await startTestServer();
  for (const project_name of ['lab', 'shop']) {
    await server.call('/api/projects/create', { project_name });
  }
  await server.call('/api/users/create', { username: 'ann', global_role: 'user' });
  const ann = await server.call('/api/users/get_user', { username: 'ann' });
  tokens.ann = ann.body.creds.token;
  const members = [{ username: 'ann', project_role: 'admin' }];
  for (const name of ['main', 'lab']) {
    await server.call(`/api/projects/${name}/add_members`, { members });
  }
  await insertFleet('hosts', { ssh_config: { user: 'root', hosts: ['10.0.0.1'] } });
  await insertFleet('cloud', { nodes: '0..1' });
});
afterAll(() => server.close());

async function insertFleet(name: string, more: object): Promise<void> {
  const spec = FleetSpec.parse({
    configuration: { type: 'fleet', name, ...more },
    configuration_path: 'fleet.dstack.yml',
    profile: { name: 'default' },
  });
  const { now, newId } = server.deps.context();
  const projectId = (await server.store.projects.byName('main'))?.id ?? '';
  const record: FleetRecord = {
    id: newId(),
    projectId,
    name,
    spec,
    status: 'active',
    statusMessage: null,
    createdAt: now,
    consolidationAttempt: 0,
    lastConsolidatedAt: null,
    masterInstanceId: null,
    maintenance: null,
    nextPassAt: null,
    deleted: false,
    version: 0,
  };
  const build = () => ({ fleet: record, instances: [] });
  await server.store.engine.createFleet({ projectId, name: { exact: name }, build });
}

const call = (path: string, body?: unknown, options = {}) =>
  server.call(`/api/project/main/exports/${path}`, body, options);

const importsOf = async (project: string): Promise<string[]> => {
  const answer = await server.call(`/api/project/${project}/imports/list`);
  return answer.body.imports.map((one: { export: { name: string } }) => one.export.name);
};

function expectWire(name: EndpointName, body: unknown): void {
  expect(endpoints[name].response?.parse(body)).toEqual(body);
}

describe('exports', () => {
  it('let importing projects read and use the fleet', async () => {
    const created = await call('create', {
      name: 'gpus',
      importer_projects: ['LAB'],
      exported_fleets: ['hosts'],
    });
    expectWire('exports.create', created.body);
    expect(created.body).toMatchObject({
      name: 'gpus',
      is_global: false,
      imports: [{ project_name: 'lab' }],
      exported_fleets: [{ name: 'hosts' }],
      exported_gateways: [],
    });
    const listed = await server.call('/api/project/lab/imports/list');
    expectWire('imports.list', listed.body);
    expect(listed.body.imports[0].export).toMatchObject({ name: 'gpus', project_name: 'main' });
    const own = await server.call('/api/project/lab/fleets/list');
    expect(own.body).toEqual([]);
    const seen = await server.call('/api/project/lab/fleets/list', { include_imported: true });
    expect(seen.body).toMatchObject([{ name: 'hosts', project_name: 'main' }]);
    const capacity = await server.store.engine.loadCapacity(
      (await server.store.projects.byName('lab'))?.id ?? '',
    );
    expect(capacity.fleets.map((one) => one.name)).toEqual(['hosts']);
  });

  it('are lists in an object for clients from 0.22 on, plain lists before', async () => {
    const newest = await call('list');
    expectWire('exports.list', newest.body);
    expect([newest.body.exports.length, newest.body.warnings]).toEqual([1, []]);
    const older = await call('list', undefined, { headers: { 'x-api-version': '0.21.0' } });
    expect(older.body).toEqual(newest.body.exports);
  });

  it.each([
    ['a taken name', { name: 'gpus' }, 'resource_exists'],
    ['a bad name', { name: 'Bad name' }, 'error'],
    ['an unknown fleet', { name: 'other', exported_fleets: ['nosuch'] }, 'resource_not_exists'],
    ['a fleet of cloud machines', { name: 'other', exported_fleets: ['cloud'] }, 'error'],
    ['an unknown gateway', { name: 'other', exported_gateways: ['g1'] }, 'resource_not_exists'],
    ['an unknown project', { name: 'other', importer_projects: ['nosuch'] }, 'resource_not_exists'],
    ['the project itself', { name: 'other', importer_projects: ['Main'] }, 'error'],
    ['a project twice', { name: 'other', importer_projects: ['lab', 'Lab'] }, 'error'],
    ['importers of all', { name: 'other', is_global: true, importer_projects: ['lab'] }, 'error'],
  ])('with %s are refused', async (_what, request, code) => {
    const answer = await call('create', request);
    expect([answer.status, answer.body.detail[0].code]).toEqual([400, code]);
  });

  it('reach only projects whose admin agrees, and all projects only by a global admin', async () => {
    const own = { token: tokens.ann ?? null };
    const foreign = await call('create', { name: 'push', importer_projects: ['shop'] }, own);
    expect(foreign.status).toBe(403);
    const unknown = await call('create', { name: 'push', importer_projects: ['nosuch'] }, own);
    expect(unknown.status).toBe(403);
    expect((await call('create', { name: 'push', is_global: true }, own)).status).toBe(403);
    const mine = await call('create', { name: 'push', importer_projects: ['lab'] }, own);
    expect(mine.status).toBe(200);
    expect((await call('delete', { name: 'push' }, own)).text).toBe('null');
  });

  it('that are global are imported by present and future projects', async () => {
    await call('create', { name: 'all', is_global: true, exported_fleets: ['hosts'] });
    await server.call('/api/projects/create', { project_name: 'later' });
    expect(await importsOf('shop')).toEqual(['all']);
    expect(await importsOf('later')).toEqual(['all']);
    const given = { export_name: 'all', export_project_name: 'main' };
    const refused = await server.call('/api/project/later/imports/delete', given);
    expect(refused.body.detail[0].code).toBe('error');
    const changed = await call('update', { name: 'all', remove_importer_projects: ['later'] });
    expect(changed.body.detail[0].code).toBe('error');
    const unset = await call('update', { name: 'all', unset_global: true });
    expect(unset.body.is_global).toBe(false);
    expect(await importsOf('later')).toEqual(['all']);
    const without = await call('update', { name: 'all', remove_importer_projects: ['later'] });
    expect(without.body.imports).not.toContainEqual({ project_name: 'later' });
  });

  it('are changed by adding and removing', async () => {
    expect((await call('update', { name: 'gpus' })).body.detail[0].msg).toBe(
      'No changes specified',
    );
    const both = { add_exported_fleets: ['hosts'], remove_exported_fleets: ['hosts'] };
    expect((await call('update', { name: 'gpus', ...both })).status).toBe(400);
    const removed = await call('update', { name: 'gpus', remove_exported_fleets: ['hosts'] });
    expect(removed.body.exported_fleets).toEqual([]);
    const added = await call('update', {
      name: 'gpus',
      add_exported_fleets: ['hosts'],
      add_importer_projects: ['shop'],
    });
    expectWire('exports.update', added.body);
    expect(added.body.imports).toEqual([{ project_name: 'lab' }, { project_name: 'shop' }]);
    expect((await call('update', { name: 'nosuch' })).body.detail[0].code).toBe(
      'resource_not_exists',
    );
  });

  it('can be deleted by an importing project, with one error text for everything unknown', async () => {
    const path = '/api/project/lab/imports/delete';
    const given = { export_name: 'gpus', export_project_name: 'MAIN' };
    expect((await server.call(path, given)).text).toBe('null');
    const again = await server.call(path, { ...given, export_project_name: 'main' });
    const text = "Import 'main/gpus' not found in project 'lab'";
    expect(again.body.detail).toEqual([{ msg: text, code: 'resource_not_exists' }]);
  });

  it('of a gateway end with the export, also as the default of a project', async () => {
    const configuration = { type: 'gateway', name: 'edge', backend: 'aws', region: 'eu-west-1' };
    const made = await server.call('/api/project/main/gateways/create', { configuration });
    const { id } = made.body;
    const set = { status: 'running' } as const;
    await server.store.engine.apply([{ type: 'gateway.update', id, version: 0, set }]);
    const exported = { importer_projects: ['shop'], exported_gateways: ['edge'] };
    await call('create', { name: 'ingress', ...exported });
    const shop = (path: string, body: unknown) => server.call(`/api/project/shop/${path}`, body);
    await shop('gateways/set_default', { name: 'edge', gateway_project: 'main' });
    const serve = (gateway: true | null) => {
      const configuration = { type: 'service', port: 80, commands: ['serve'], gateway };
      return shop('runs/apply', { plan: { run_spec: { configuration } }, force: false });
    };
    expect((await serve(null)).body.detail[0].msg).toMatch(/^Gateway 'edge' has no replica/);
    const given = { export_name: 'ingress', export_project_name: 'main' };
    await shop('imports/delete', given);
    expect((await serve(null)).status).toBe(200);
    expect((await serve(true)).body.detail[0].msg).toBe('The project has no default gateway');
  });
});
