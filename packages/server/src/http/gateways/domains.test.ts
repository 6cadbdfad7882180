import { afterEach, describe, expect, it } from 'vitest';
import type { HttpSettings } from '../ports.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';
import { runningGateway } from './testing/running-gateway.ts';

let server: TestServer;
const records = new Map<string, string[]>();
afterEach(async () => {
  await server.close();
  records.clear();
});

async function start(settings: Partial<HttpSettings> = {}): Promise<void> {
  const readTxt = async (name: string) => records.get(name) ?? [];
  server = await startTestServer(settings, { readTxt });
}

const configuration = (domain: string, more: object = {}) => ({
  ...{ type: 'gateway', name: 'edge', backend: 'aws', region: 'eu-west-1', domain },
  ...{ certificate: { type: 'lets-encrypt' }, ...more },
});
const create = (domain: string, more: object = {}) =>
  server.call('/api/project/main/gateways/create', { configuration: configuration(domain, more) });
const refusal = async (domain: string, more: object = {}) =>
  (await create(domain, more)).body.detail?.[0]?.msg;
const plan = async (domain: string, more: object = {}) => {
  const spec = { configuration: configuration(domain, more), configuration_path: 'g.dstack.yml' };
  return await server.call('/api/project/main/gateways/get_plan', { spec });
};

describe('a domain that covers a name of the server', () => {
  it.each(['*.example.test', 'example.test', 'dstack.example.test', '*.Example.test'])(
    'is refused in plan and creation: %s',
    async (domain) => {
      await start({ url: 'https://dstack.example.test' });
      expect(await refusal(domain, { certificate: null })).toMatch(
        /covers dstack\.example\.test, the address of this server: use another one/,
      );
      expect((await plan(domain)).status).toBe(400);
    },
  );

  it('is refused where older clients set the domain separately', async () => {
    await start({ url: 'https://dstack.example.test' });
    await create('*.apps.test', { certificate: null });
    const set = (wildcard_domain: string) =>
      server.call('/api/project/main/gateways/set_wildcard_domain', {
        ...{ name: 'edge', wildcard_domain },
      });
    expect((await set('*.example.test')).text).toContain('covers dstack.example.test');
    expect((await set('*.other.test')).status).toBe(200);
  });

  it('is not one below or beside it', async () => {
    await start({ url: 'https://dstack.example.test' });
    for (const [n, domain] of ['*.apps.dstack.example.test', '*.apps.test'].entries()) {
      expect(await refusal(domain, { name: `g${n}`, certificate: null })).toBeUndefined();
    }
  });

  it.each(['*.example.${{ run.project_name }}', 'example.test.', '*.x.example.test.'])(
    'is not hidden by a variable or a dot at its end: %s',
    async (domain) => {
      await start({ url: 'https://dstack.example.test' });
      expect(await refusal(domain, { certificate: null })).toMatch(
        /`domain` must end in a domain without variables/,
      );
      expect((await plan(domain)).status).toBe(400);
      const within = '*.${{ run.project_name }}.apps.test';
      expect(await refusal(within, { certificate: null })).toBeUndefined();
    },
  );

  it.each([
    ['*.example.test', 'use another one, such as gateway.example.test'],
    ['*.apps.example.test', 'use one outside apps.example.test'],
    ['*.x.apps.example.test', 'use one outside apps.example.test'],
  ])('includes the names of services without a gateway: %s', async (domain, advice) => {
    const serviceOrigins = { scheme: 'https', domain: 'apps.example.test', port: '' } as const;
    await start({ url: 'https://dstack.test', serviceOrigins });
    expect(await refusal(domain, { certificate: null })).toBe(
      `\`domain\` ${domain.slice(2)} covers *.apps.example.test, the names of services without a gateway: ${advice}`,
    );
  });

  it('stays with a gateway that has it, whose services cannot take the name', async () => {
    await start({});
    await runningGateway(server, 'edge', { domain: '*.example.test' });
    Object.assign(server.deps.settings, { url: 'https://dstack.example.test' });
    expect((await plan('*.example.test', { certificate: null })).status).toBe(200);
    const service = { type: 'service', port: 80, commands: ['x'], gateway: 'edge', https: false };
    const run_spec = (run_name: string, more: object = {}) => ({
      ...{ run_name, configuration: { ...service, ...more } },
    });
    const apply = async (spec: object) =>
      await server.call('/api/project/main/runs/apply', { plan: { run_spec: spec }, force: false });
    expect((await apply(run_spec('dstack'))).text).toContain(
      'dstack.example.test is a name of this server: choose another name for the service',
    );
    Object.assign(server.deps.settings, { url: 'https://dstack.custom.test' });
    expect((await apply(run_spec('web', { hosts: ['dstack.custom.test'] }))).text).toContain(
      'dstack.custom.test is a name of this server',
    );
    expect((await apply(run_spec('web'))).status).toBe(200);
  });
});

describe('with a DNS hook, the domain of a gateway', () => {
  const hook = { acmeChallenge: 'dns-01' } as const;

  it("must be the project's, by a record that the refusal contains or by the operator", async () => {
    await start({ ...hook, gatewayDomains: new Map([['main', ['given.test']]]) });
    const id = (await server.store.projects.byName('main'))?.id;
    const record = `_dstack.apps.test TXT "dstack-project=${id}"`;
    expect(await refusal('*.apps.test')).toContain(record);
    const planned = await plan('*.apps.test');
    expect(planned.status).toBe(400);
    expect(planned.text).toContain('adds main=apps.test to DSTACK_GATEWAY_DOMAINS');
    expect(await refusal('*.x.given.test', { name: 'given' })).toBeUndefined();
    records.set('_dstack.apps.test', [`dstack-project=${id}`]);
    expect(await refusal('*.apps.test')).toBeUndefined();
  });

  it('needs no proof where the hook is not asked', async () => {
    await start(hook);
    expect(await refusal('*.apps.test', { certificate: null })).toBeUndefined();
    await server.close();
    await start({ acmeChallenge: 'http-01' });
    expect(await refusal('*.apps.test')).toBeUndefined();
  });

  it('must be proven where older clients set it separately', async () => {
    await start();
    await create('*.apps.test');
    Object.assign(server.deps.settings, hook);
    const answer = await server.call('/api/project/main/gateways/set_wildcard_domain', {
      ...{ name: 'edge', wildcard_domain: '*.bank.test' },
    });
    expect(answer.text).toContain('_dstack.bank.test TXT');
  });

  it('must be proven when it is changed, not when something else is', async () => {
    await start();
    await create('*.apps.test');
    Object.assign(server.deps.settings, hook);
    expect((await plan('*.apps.test', { replicas: 2 })).status).toBe(200);
    expect((await plan('*.bank.test')).text).toContain('_dstack.bank.test TXT');
  });
});
