/** Backends of many projects with the credentials of one account. */
import { Requirements } from '@dstack/contract/wire';
import { type Cloud, startCloud } from '@dstack/testkit/cloud';
import { afterEach, expect, it } from 'vitest';
import type { BackendHost, OpenedBackend, SharedFacts } from './base/kind.ts';
import { parseCatalog } from './catalog/catalog.ts';
import { backendKind } from './kinds.ts';

const PROJECTS = 50;
const CATALOG = parseCatalog(
  [
    'provider,instance_name,locations,price,spot_price,cpu,memory,gpu_count,gpu_name,gpu_memory,gpu_vendor,cpu_arch,disk_size,flags,provider_data',
    'aws,m5.large,us-east-1,0.096,,2,8,0,,,,x86,,,',
  ].join('\n'),
);

let cloud: Cloud;
const opened: OpenedBackend[] = [];
afterEach(async () => {
  for (const one of opened.splice(0)) one.close();
  await cloud.close();
});

type Type = 'lambda' | 'aws' | 'runpod';

const credsOf = (type: Type, secret: string) =>
  type === 'aws'
    ? { type: 'access_key', access_key: cloud.apiKey, secret_key: secret }
    : { type: 'api_key', api_key: cloud.apiKey };

/** Backends of one server. */
async function serverOf(type: Type, given: Partial<BackendHost> = {}) {
  const stored = new Map<string, string>();
  const facts = {
    get: async (key: string) => stored.get(key) ?? null,
    set: async (key: string, value: string) => void stored.set(key, value),
  };
  const dialIns = { take: async () => null, watch: () => () => {} };
  const downloads = { agent: async () => ({ path: '/agent', sha256: '' }) };
  const host = { facts, catalog: CATALOG, dialIns, downloads, ...given } as unknown as BackendHost;
  const variable = `DSTACK_BACKEND_${type.toUpperCase()}_ENDPOINT`;
  const opener = await backendKind(type)
    ?.configure({ [variable]: cloud.url }, { url: 'https://dstack.example' })
    .load(host);
  return async (secret = 'secret') => {
    const config = { type, regions: ['us-east-1'], creds: credsOf(type, secret) };
    const one = await opener?.open(config, 'installation', { isOperators: true });
    if (!one?.backend.instances) throw new Error('it was not opened');
    opened.push(one);
    return { close: one.close, backend: one.backend, instances: one.backend.instances };
  };
}

/** A machine that no order of these servers has made. */
function addMachine(): string {
  const { catalog, vms } = cloud.account;
  const [type] = catalog.types;
  if (!type) throw new Error('the account sells nothing');
  const [region = ''] = type.regions.toSorted((a) => (a === 'us-east-1' ? -1 : 1));
  const tags = [{ key: 'dstack-key', value: 'order' }];
  const order = { type, region, image: '', keys: [], userData: null, isPublic: true };
  return vms.create({ ...order, tags, name: '' }).id;
}

const listings = (type: Type) =>
  cloud.log.filter(({ path, body }) =>
    type !== 'aws'
      ? path.endsWith(type === 'runpod' ? '/pods' : '/instances')
      : (body as { readonly Action?: string } | null)?.Action === 'DescribeInstances',
  ).length;

it.each(['lambda', 'aws', 'runpod'] as const)(
  '%s: an account is listed as often for fifty projects as for one',
  async (type) => {
    cloud = await startCloud({ personality: type });
    const open = await serverOf(type);
    const handle = { id: addMachine(), data: '{"region":"us-east-1"}' };
    const projects = await Promise.all(Array.from({ length: PROJECTS }, () => open()));
    const seen = await Promise.all(
      projects.map(({ instances }) => instances.observe(handle, { facts: null })),
    );
    expect(new Set(seen.map(({ state }) => state))).toEqual(new Set(['ready']));
    expect(listings(type)).toBe(1);
    // The others go on when the backend that has asked is closed.
    projects[0]?.close();
    for (const { instances } of projects.slice(1)) {
      expect((await instances.observe(handle, { facts: null })).state).toBe('ready');
    }
    expect(listings(type)).toBe(1);
  },
);

it('two servers list the account once each', async () => {
  cloud = await startCloud({ personality: 'aws' });
  const handle = { id: addMachine(), data: '{"region":"us-east-1"}' };
  for (const open of [await serverOf('aws'), await serverOf('aws')]) {
    for (const { instances } of await Promise.all([open(), open(), open()])) {
      await instances.observe(handle, { facts: null });
    }
  }
  expect(listings('aws')).toBe(2);
});

it('a key with another secret gets nothing that was asked for with the right one', async () => {
  cloud = await startCloud({ personality: 'aws' });
  const open = await serverOf('aws');
  const handle = { id: addMachine(), data: '{"region":"us-east-1"}' };
  for (const { instances } of [await open(), await open('guessed')]) {
    await instances.observe(handle, { facts: null });
  }
  expect(listings('aws')).toBe(2);
});

it('a key with another secret uses none of the calls that the right one may make', async () => {
  cloud = await startCloud({ personality: 'aws' });
  const counted: string[] = [];
  const amend: SharedFacts['amend'] = async (key, change) => {
    counted.push(key);
    return change(null, 0).result;
  };
  const open = await serverOf('aws', { sharedFacts: { amend } });
  const handle = { id: addMachine(), data: '{"region":"us-east-1"}' };
  const countersOf = async (secret: string) => {
    counted.length = 0;
    await (await open(secret)).instances.observe(handle, { facts: null });
    return new Set(counted);
  };
  const [ours, theirs] = [await countersOf('secret'), await countersOf('guessed')];
  expect([ours.size, theirs.size]).toEqual([1, 1]);
  expect(theirs).not.toEqual(ours);
});

it('a key with another secret shows no offers that were stored for the right one', async () => {
  cloud = await startCloud({ personality: 'aws' });
  const open = await serverOf('aws');
  const requirements = Requirements.parse({ resources: { cpu: '2..', memory: '1GB..' } });
  const asked = async (secret: string) => {
    const before = cloud.log.length;
    await (await open(secret)).backend.offers(requirements);
    return cloud.log.length > before;
  };
  expect([await asked('secret'), await asked('guessed')]).toEqual([true, true]);
});

it('machines that the account of a wrong key lacks are doubted, whatever others have there', async () => {
  cloud = await startCloud({ personality: 'aws' });
  const handle = { id: addMachine(), data: '{"region":"us-east-1"}' };
  const open = await serverOf('aws');
  const [{ instances: theirs }, { instances: ours }] = [await open(), await open()];
  await theirs.observe(handle, { facts: null });
  // The machines of this project are in the account of its key before.
  const lost = (id: string) => ours.observe({ ...handle, id }, { facts: null });
  await expect(lost('i-00000000000000001')).rejects.toThrow('does not list the only known machine');
  await expect(lost('i-00000000000000002')).rejects.toThrow('lists none of the 2 known machines');
  expect((await theirs.observe(handle, { facts: null })).state).toBe('ready');
});
