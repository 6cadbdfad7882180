import { afterEach, expect, it } from 'vitest';
import { AUTHORITY, KEY, OWN } from '../gateways/testing/pems.ts';
import { runningGateway } from '../gateways/testing/running-gateway.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';

let server: TestServer;
/** The TXT records that the test's DNS returns, by name. */
const records = new Map<string, string[]>();
let asked: string[] = [];
afterEach(async () => {
  await server.close();
  records.clear();
  asked = [];
});

async function start(): Promise<void> {
  const readTxt = async (name: string) => {
    asked.push(name);
    if (name.endsWith('.broken.test')) throw new Error('queryTxt ESERVFAIL');
    return records.get(name) ?? [];
  };
  server = await startTestServer({}, { readTxt });
}

const specOf = (hosts: readonly string[] | null, more: object = {}, run_name = 'web') => ({
  run_name,
  configuration: {
    ...{ type: 'service', port: 80, commands: ['serve'], https: 'auto', hosts, ...more },
  },
});
const apply = (run_spec: object, current_resource: unknown = null, project = 'main') =>
  server.call(
    `/api/project/${project}/runs/apply`,
    { plan: { run_spec, current_resource }, force: false },
    { headers: { 'user-agent': 'dstack-cli' } },
  );
const refusal = async (run_spec: object, project = 'main') =>
  (await apply(run_spec, null, project)).body.detail?.[0]?.msg;

async function prove(host: string, project = 'main'): Promise<void> {
  const found = await server.store.projects.byName(project);
  const name = `_dstack.${host}`;
  records.set(name, [...(records.get(name) ?? []), `dstack-project=${found?.id}`]);
}

const edge = { gateway: 'edge' };

it('a host name needs a record in DNS for the project, which plan and refusal contain', async () => {
  await start();
  await runningGateway(server, 'edge');
  await server.call('/api/projects/create', { project_name: 'lab' });
  await prove('chat.example.test', 'lab');
  const id = (await server.store.projects.byName('main'))?.id;
  const text = `DNS does not show that chat.example.test belongs to project main. Create this record, then try again: _dstack.chat.example.test TXT "dstack-project=${id}"`;
  const spec = specOf(['chat.example.test'], edge);
  expect(await refusal(spec)).toBe(text);
  const planned = await server.call('/api/project/main/runs/get_plan', { run_spec: spec });
  expect(planned.body.notes).toContainEqual(text);
  expect(await refusal(specOf(['x.broken.test'], edge))).toMatch(
    /^DNS does not answer whether x\.broken\.test belongs .*ESERVFAIL/,
  );
  await prove('chat.example.test');
  expect((await apply(spec)).body.service).toMatchObject({
    ...{ url: 'http://web.apps.test', hosts: ['chat.example.test'] },
  });
});

it('an update asks DNS for new names only, and keeps them if an older client changes the service', async () => {
  await start();
  await runningGateway(server, 'edge');
  await prove('chat.example.test');
  const { body: run } = await apply(specOf(['chat.example.test'], edge));
  records.clear();
  asked = [];
  const more = specOf(['chat.example.test', 'two.example.test'], edge);
  expect((await apply(more, run)).body.detail[0].msg).toContain('two.example.test');
  await prove('two.example.test');
  const { body: wider } = await apply(more, run);
  expect(wider.service.hosts).toEqual(['chat.example.test', 'two.example.test']);
  expect(new Set(asked)).toEqual(new Set(['_dstack.two.example.test']));
  const { hosts: _, ...known } = wider.run_spec.configuration;
  const theirs = { ...wider, run_spec: { ...wider.run_spec, configuration: known } };
  const plain = { ...specOf(null, { ...edge, auth: false }) } as { configuration: object };
  const { hosts: __, ...theirSpec } = plain.configuration as { hosts: null };
  const kept = await server.call('/api/project/main/runs/apply', {
    plan: { run_spec: { ...plain, configuration: theirSpec }, current_resource: theirs },
    force: false,
  });
  expect(kept.body.service.hosts).toEqual(['chat.example.test', 'two.example.test']);
  const { body: without } = await apply(specOf([], { ...edge, auth: false }), kept.body);
  expect(without.service.hosts).toBeUndefined();
});

it('a host name of another service is refused, without the name of a run of another project', async () => {
  await start();
  await runningGateway(server, 'edge');
  await server.call('/api/projects/create', { project_name: 'lab' });
  await server.call('/api/project/main/exports/create', {
    ...{ name: 'edge', importer_projects: ['lab'], exported_gateways: ['edge'] },
  });
  for (const project of ['main', 'lab']) await prove('chat.example.test', project);
  const spec = specOf(['chat.example.test'], edge);
  expect((await apply(spec)).status).toBe(200);
  const next = specOf(['chat.example.test'], edge, 'next');
  expect(await refusal(next)).toBe(
    'chat.example.test is a host name of run web: remove it there first',
  );
  const elsewhere = specOf(['chat.example.test'], { gateway: 'main/edge' }, 'other');
  expect(await refusal(elsewhere, 'lab')).toBe(
    'chat.example.test is a host name of a run of another project: remove it there first',
  );
});

it('services of one project share a name by paths, which one record proves', async () => {
  await start();
  await runningGateway(server, 'edge');
  await server.call('/api/projects/create', { project_name: 'lab' });
  await server.call('/api/project/main/exports/create', {
    ...{ name: 'edge', importer_projects: ['lab'], exported_gateways: ['edge'] },
  });
  for (const project of ['main', 'lab']) await prove('api.example.test', project);
  const paths = ['API.example.test/embed/', 'api.example.test/v2'];
  const { body: run } = await apply(specOf(paths, edge));
  expect(run.service.hosts).toEqual(['api.example.test/embed', 'api.example.test/v2']);
  expect(asked.every((name) => name === '_dstack.api.example.test')).toBe(true);
  expect(await refusal(specOf(['api.example.test/embed'], edge, 'next'))).toBe(
    'api.example.test/embed is a host name of run web: remove it there first',
  );
  const beside = specOf(['api.example.test', 'api.example.test/embed/v2'], edge, 'next');
  expect((await apply(beside)).status).toBe(200);
  // Pages of one name share an origin, so a name belongs to one project.
  for (const host of ['api.example.test/other', 'api.example.test']) {
    expect(await refusal(specOf([host], { gateway: 'main/edge' }, 'other'), 'lab')).toBe(
      'api.example.test is a host name of a run of another project: remove it there first',
    );
  }
  records.clear();
  const more = specOf([...paths, 'api.example.test/v3'], edge);
  expect((await apply(more, run)).body.service.hosts).toHaveLength(3);
  expect(await refusal(specOf(['a.apps.test/x'], edge, 'below'))).toMatch(
    /^a\.apps\.test is below/,
  );
});

it('of two submissions with a name at the same time, one gets it and the other is refused', async () => {
  await start();
  await runningGateway(server, 'edge');
  await prove('api.example.test');
  const { body: run } = await apply(specOf(null, edge, 'present'));
  for (const host of ['api.example.test/x', 'api.example.test']) {
    const answers = await Promise.all([
      ...['a', 'b'].map((name) => apply(specOf([host], edge, `${name}${host.length}`))),
      apply(specOf([host], edge, 'present'), run),
    ]);
    const refused = answers.filter(({ status }) => status !== 200);
    expect(refused).toHaveLength(2);
    for (const { body } of refused) {
      expect(body.detail[0].msg).toMatch(
        /is a host name of run .*: remove it there first|has been changed/,
      );
    }
  }
});

it('a host name below the domain of the gateway is refused, whatever DNS shows', async () => {
  await start();
  await runningGateway(server, 'edge', { domain: '*.${{ run.project_name }}.apps.test' });
  for (const host of ['gateway.main.apps.test', 'api.lab.apps.test', 'a.apps.test']) {
    await prove(host);
    expect(await refusal(specOf([host], edge))).toBe(
      `${host} is below the domain of gateway 'edge', whose names are those of runs: name another one in \`hosts\``,
    );
  }
  await prove('apps.test');
  expect((await apply(specOf(['apps.test'], edge))).status).toBe(200);
});

it('host names need a gateway that can serve them', async () => {
  await start();
  await prove('chat.example.test');
  const need = '`hosts` needs a gateway: set `gateway`, or make one the default of the project';
  const spec = specOf(['chat.example.test'], { https: null });
  expect(await refusal(spec)).toBe(need);
  const planned = await server.call('/api/project/main/runs/get_plan', { run_spec: spec });
  expect(planned.body.notes).toContainEqual(need);
  const settings = { kubernetes: { service: 'Ingress' } };
  await runningGateway(server, 'in', { backend: 'kubernetes', backend_settings: settings });
  expect(await refusal(specOf(['chat.example.test'], { gateway: 'in' }))).toMatch(
    /behind an Ingress/,
  );
});

it('a later domain of the gateway gives no run a host name that a service has', async () => {
  await start();
  await runningGateway(server, 'edge');
  await prove('chat.customer.test');
  expect((await apply(specOf(['chat.customer.test'], edge))).status).toBe(200);
  await server.call('/api/project/main/gateways/set_wildcard_domain', {
    ...{ name: 'edge', wildcard_domain: '*.customer.test' },
  });
  expect(await refusal(specOf(null, edge, 'chat'))).toBe(
    'chat.customer.test is a host name of run web: remove it there first',
  );
  expect((await apply(specOf(null, edge, 'other'))).status).toBe(200);
});

it('a certificate is set for a custom host name', async () => {
  await start();
  server.advance(7 * 86_400);
  await runningGateway(server, 'edge');
  const set = () =>
    server.call('/api/project/main/gateways/set_certificate', {
      ...{ name: 'edge', certificate: `${OWN}\n${AUTHORITY}`, key: KEY },
    });
  expect((await set()).body.detail[0].msg).toMatch(/names below apps\.test/);
  await prove('other.example.org');
  await apply(specOf(['other.example.org'], edge));
  expect((await set()).status).toBe(200);
  const project = await server.store.projects.byName('main');
  const view = await server.store.gateways.byName(project?.id ?? '', 'edge');
  const stored = await server.store.gateways.certificates(view?.gateway.id ?? '');
  expect(stored.map(({ domain }) => domain)).toEqual(['other.example.org']);
});
