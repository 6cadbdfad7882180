import { DEFAULT_RUN_SPEC_SETTINGS } from '@dstack/core';
import { afterEach, describe, expect, it } from 'vitest';
import { runningGateway } from '../gateways/testing/running-gateway.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';

let server: TestServer;
afterEach(() => server.close());

const spec = (more: object) => ({
  run_name: 'web',
  configuration: { type: 'service', port: 80, commands: ['serve'], ...more },
});
const plan = (more: object = {}) =>
  server.call('/api/project/main/runs/get_plan', { run_spec: spec(more) });
const apply = (more: object = {}) =>
  server.call('/api/project/main/runs/apply', { plan: { run_spec: spec(more) }, force: false });

/** The default of the project, in any state. */
async function defaultGateway(status: 'failed' | 'running'): Promise<void> {
  const configuration = { type: 'gateway', name: 'edge', backend: 'aws', region: 'eu-west-1' };
  const { body } = await server.call('/api/project/main/gateways/create', { configuration });
  await server.store.engine.apply([
    { type: 'gateway.update', id: body.id, version: 0, set: { status } },
  ]);
  const project = await server.store.projects.byName('main');
  await server.store.projects.update(project?.id ?? '', { defaultGatewayId: body.id });
}

describe('a service without a gateway in its configuration', () => {
  it('is served by the server if the default gateway has failed', async () => {
    server = await startTestServer();
    await defaultGateway('failed');
    const { status, body } = await apply();
    expect([status, body.service?.url]).toEqual([200, '/proxy/services/main/web/']);
  });

  it('gets a note that `https` has no effect unless the default gateway runs', async () => {
    const note = expect.stringContaining('`https` has no effect without a gateway');
    server = await startTestServer();
    await defaultGateway('failed');
    expect((await plan({ https: true })).body.notes).toContainEqual(note);
    await server.close();
    server = await startTestServer();
    await defaultGateway('running');
    expect((await plan({ https: true })).body.notes).not.toContainEqual(note);
  });

  it('finds no default if the only gateway has failed', async () => {
    server = await startTestServer();
    await defaultGateway('failed');
    expect((await apply({ gateway: true })).body.detail[0].msg).toBe(
      'The project has no default gateway',
    );
  });

  it.each([
    [{}, /and the project has no running default gateway: set `gateway`/],
    [{ gateway: false }, /`gateway` must not be false/],
  ])(
    'is refused if services without gateways are forbidden, in plan and apply: %j',
    async (more, why) => {
      const runSpecs = { ...DEFAULT_RUN_SPEC_SETTINGS, forbidServicesWithoutGateway: true };
      server = await startTestServer({ runSpecs });
      await defaultGateway('failed');
      for (const answer of [await plan(more), await apply(more)]) {
        expect([answer.status, answer.body.detail[0].msg]).toEqual([
          400,
          expect.stringMatching(why),
        ]);
      }
    },
  );

  it('uses the default gateway if it runs', async () => {
    const runSpecs = { ...DEFAULT_RUN_SPEC_SETTINGS, forbidServicesWithoutGateway: true };
    server = await startTestServer({ runSpecs });
    await defaultGateway('running');
    expect((await plan()).status).toBe(200);
    // It has no replica here, an error that only occurs with a gateway.
    expect((await apply()).body.detail[0].msg).toMatch(/^Gateway 'edge' has no replica/);
  });
});

describe('a service behind a gateway', () => {
  it('is refused where its address would be no host name', async () => {
    server = await startTestServer();
    await server.call('/api/projects/create', { project_name: 'My_Lab' });
    await server.call('/api/projects/create', { project_name: 'Lab' });
    const domain = '*.${{ run.project_name }}.apps.example.com';
    await runningGateway(server, 'edge', { domain });
    await server.call('/api/project/main/exports/create', {
      ...{ name: 'edge', importer_projects: ['My_Lab', 'Lab'], exported_gateways: ['edge'] },
    });
    const submit = (project: string) =>
      server.call(`/api/project/${project}/runs/apply`, {
        plan: { run_spec: spec({ gateway: 'main/edge', https: 'auto' }) },
        force: false,
      });
    expect((await submit('Lab')).body.service.url).toBe('http://web.Lab.apps.example.com');
    const { status, body } = await submit('My_Lab');
    expect([status, body.detail[0].msg]).toEqual([
      400,
      "web.my_lab.apps.example.com is no host name, so gateway 'edge' would not serve it: DNS has letters, digits and hyphens only. Use a gateway whose domain does not contain the name of project My_Lab, or `gateway: false`",
    ]);
  });

  it('cannot take the host name of a run of another project, or that of the models', async () => {
    server = await startTestServer();
    await server.call('/api/projects/create', { project_name: 'lab' });
    await runningGateway(server, 'edge', { domain: '*.apps.example.com' });
    await server.call('/api/project/main/exports/create', {
      ...{ name: 'edge', importer_projects: ['lab'], exported_gateways: ['edge'] },
    });
    const submit = (project: string, run_name: string) =>
      server.call(`/api/project/${project}/runs/apply`, {
        plan: { run_spec: { ...spec({ gateway: 'main/edge', https: 'auto' }), run_name } },
        force: false,
      });
    expect((await submit('lab', 'web')).body.service.url).toBe('http://web.apps.example.com');
    const { body: refused } = await submit('main', 'web');
    expect(refused.detail[0].msg).toBe(
      "web.apps.example.com is the address of a run of another project: choose another name, or put ${{ run.project_name }} into the domain of gateway 'edge'",
    );
    expect((await submit('main', 'other')).status).toBe(200);
    expect((await submit('main', 'gateway')).body.detail[0].msg).toMatch(
      /^gateway\.apps\.example\.com is the address of models/,
    );
  });

  it('keeps its gateway when that refuses new services; others are refused, which the plan shows', async () => {
    server = await startTestServer();
    const id = await runningGateway(server, 'edge', { domain: '*.apps.example.com' });
    const edge = { gateway: 'edge', https: 'auto' };
    const first = (await apply(edge)).body;
    const { version = 0, configuration } = (await server.store.gateways.byId(id))?.gateway ?? {};
    if (configuration === undefined) throw new Error('the gateway is missing');
    await server.store.gateways.update(id, version, {
      configuration: { ...configuration, forbid_new_services: true },
    });
    const update = (more: object, current: unknown) =>
      server.call('/api/project/main/runs/apply', {
        plan: { run_spec: spec(more), current_resource: current },
        force: false,
      });
    const model = { type: 'chat', name: 'm', format: 'openai' };
    const updated = await update({ ...edge, model }, first);
    expect(updated.body.service.model.base_url).toBe('http://web.apps.example.com/v1');
    const text =
      "Gateway 'edge' accepts no new services (`forbid_new_services`): choose another `gateway`, or ask an admin of its project for `dstack gateway update edge --allow-new-services`";
    const named = { run_spec: { ...spec(edge), run_name: 'next' } };
    const planned = await server.call('/api/project/main/runs/get_plan', named);
    expect(planned.body.notes).toContainEqual(text);
    expect((await plan({ ...edge, model })).body.notes).not.toContainEqual(text);
    const refused = await server.call('/api/project/main/runs/apply', {
      plan: named,
      force: false,
    });
    expect([refused.status, refused.body.detail[0].msg]).toEqual([400, text]);
  });

  it('keeps its gateway when another one has become the default', async () => {
    server = await startTestServer();
    const project = async () => (await server.store.projects.byName('main'))?.id ?? '';
    const first = await runningGateway(server, 'edge', { domain: '*.apps.example.com' });
    await server.store.projects.update(await project(), { defaultGatewayId: first });
    const { body: run } = await apply({ https: 'auto' });
    const next = await runningGateway(server, 'next', { domain: '*.next.example.com' });
    await server.store.projects.update(await project(), { defaultGatewayId: next });
    const { body } = await server.call('/api/project/main/runs/apply', {
      plan: { run_spec: spec({ https: false }), current_resource: run },
      force: false,
    });
    expect(body.service.url).toBe('http://web.apps.example.com');
  });
});
