import { Requirements } from '@dstack/contract/wire';
import type { Offer } from '@dstack/core';
import { type Cloud, type ManualClock, manualClock, startCloud } from '@dstack/testkit/cloud';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { agentToken } from '../base/agent-token.ts';
import { CONTAINER_LAUNCHER } from '../base/container-cloud/launcher.ts';
import { packedScript } from '../base/container-cloud/packed-script.ts';
import { tagsFromVariables } from '../base/container-cloud/tags.ts';
import { DOWNLOAD } from '../base/container-cloud/testing.ts';
import {
  BackendError,
  CredentialsError,
  NoCapacityError,
  QuotaError,
  RefusedOrderError,
  SkipOfferError,
} from '../base/errors.ts';
import type { InstanceOrder } from '../base/instance-port.ts';
import type { Backend } from '../base/port.ts';
import { vmName } from '../base/rest-vm/names.ts';
import type { CallPace } from '../base/rest-vm/pace.ts';
import { newOrder, withContainer } from '../base/testing/orders.ts';
import { passingPace } from '../base/testing/passing-pace.ts';
import { vastaiAt } from './testing.ts';

const RTX = Requirements.parse({
  resources: { gpu: 'RTX4090:1', memory: '1GB..', disk: '50GB..' },
});
const wanting = (options: object, requirements: Requirements = RTX): Requirements => ({
  ...{ ...requirements, spot: false },
  backend_options: [
    {
      ...{ type: 'vastai', offer_order: 'price', min_reliability: null, min_score: null },
      ...options,
    },
  ],
});
const ON_DEMAND = wanting({});
const SPOT = { ...ON_DEMAND, spot: true };
const STARTED_S = 60;

let cloud: Cloud;
let clock: ManualClock;
let backend: Backend;
let pace: CallPace;
beforeEach(async () => {
  clock = manualClock();
  cloud = await startCloud({ personality: 'vastai', clock, faults: { boot_seconds: [5, 5] } });
  pace = passingPace(clock);
  backend = vastaiAt({ cloud, pace });
});
afterEach(() => cloud.close());

const offers = async (requirements: Requirements = ON_DEMAND, of = backend) =>
  (await of.offers(requirements)).offers;

async function order(
  change: Partial<InstanceOrder['container']> = {},
  requirements: Requirements = ON_DEMAND,
): Promise<InstanceOrder> {
  const [offer = null] = await offers(requirements);
  const given = withContainer(newOrder(offer));
  const { container } = given;
  if (!container) throw new Error('there is no container');
  return { ...given, container: { ...container, ...change } };
}

async function create(given: InstanceOrder) {
  const created = await backend.instances?.create(given);
  if (!created) throw new Error('it was not created');
  return created;
}
const failure = async (given: InstanceOrder) => await create(given).catch((error) => error);
const observe = async ({ handle }: Awaited<ReturnType<typeof create>>) =>
  await backend.instances?.observe(handle, { facts: null });
const puts = () => cloud.log.filter(({ method }) => method === 'PUT');
const sent = () => puts().at(-1)?.body as Readonly<Record<string, unknown>>;
const names = (all: readonly Offer[]) => all.map(({ instance }) => instance.name);

describe('offers of Vast.ai', () => {
  it('are its search, the cheapest first, with the disk that is asked for in their prices', async () => {
    const [first, second] = await offers();
    expect(first).toEqual({
      ...{ backend: 'vastai', region: 'us-california', availability: 'available' },
      instance: {
        name: '7000000',
        resources: {
          ...{ cpus: 8, memory_mib: 32_896, spot: false, description: '', cpu_arch: 'x86' },
          gpus: [{ vendor: 'nvidia', name: 'RTX4090', memory_mib: 24 * 1024 }],
          disk: { size_mib: 50 * 1024 },
        },
      },
      // 50 GB at $0.144 a month.
      price: 0.31,
      backend_data: { disk_price: 0.0002, reliability: 0.99, score: 100 },
      ...{ availability_zones: null, instance_runtime: 'runner', blocks: 1, total_blocks: 1 },
    });
    expect(second?.price).toBeGreaterThan(0.31);
    const large = {
      ...ON_DEMAND,
      resources: { ...RTX.resources, disk: { size: { min: 400, max: null } } },
    };
    expect((await offers(large))[0]?.price).toBe(0.38);
    const small = {
      ...ON_DEMAND,
      resources: { ...RTX.resources, disk: { size: { min: null, max: 60 } } },
    };
    expect((await offers(small))[0]?.instance.resources.disk.size_mib).toBe(60 * 1024);
    const larger = {
      ...ON_DEMAND,
      resources: { ...RTX.resources, disk: { size: { min: 501, max: null } } },
    };
    expect(await offers(larger)).toEqual([]);
  });

  it('are sold as spot for their least bid too', async () => {
    const [first] = await offers(SPOT);
    expect(first).toMatchObject({
      price: 0.16,
      instance: { name: '7000000', resources: { spot: true } },
    });
  });

  it('are those of reliable machines, unless the run allows others', async () => {
    expect(names(await offers())).not.toContain('7000900');
    expect(names(await offers(wanting({ min_reliability: 0.7 })))[0]).toBe('7000900');
    expect(await offers(wanting({ min_reliability: 0.999 }))).toEqual([]);
    const scores = (await offers(wanting({ min_score: 130 }))).map(
      ({ backend_data }) => backend_data.score as number,
    );
    expect(Math.min(...scores)).toBeGreaterThanOrEqual(130);
  });

  it('come in the order of their scores, unless the run requests that of their prices', async () => {
    for (const requirements of [wanting({ offer_order: null }), { ...RTX, spot: false }]) {
      const found = await backend.offers(requirements);
      const scores = found.offers.map(({ backend_data }) => backend_data.score as number);
      expect(scores).toEqual(scores.toSorted((a, b) => b - a));
      expect(found.isRanked).toBe(true);
    }
    expect((await backend.offers(ON_DEMAND)).isRanked).toBe(false);
  });

  it('are none of a GPU that is not known, and none without processors', async () => {
    const all = names(await offers(Requirements.parse({ resources: { cpu: '1..', disk: null } })));
    expect(all).not.toContain('7000902');
    expect(all).not.toContain('7000903');
    expect(all).not.toContain('7000901');
  });

  it('are of some countries or places, or of data centres only, where that is configured', async () => {
    const regionsOf = async (regions: readonly string[]) => {
      const found = await offers(ON_DEMAND, vastaiAt({ cloud, pace, regions }));
      return [...new Set(found.map(({ region }) => region))].toSorted();
    };
    expect(await regionsOf(['US', 'de-bavaria'])).toEqual(['de-bavaria', 'us-california']);
    expect(await regionsOf(['u'])).toEqual([]);
    const inCentres = await offers(ON_DEMAND, vastaiAt({ cloud, pace, hasCommunity: false }));
    expect(inCentres).toHaveLength(6);
  });

  it('have the names of GPUs that requirements use', async () => {
    const all = await offers(Requirements.parse({ resources: { cpu: '1..', gpu: '1..' } }));
    const gpus = all.map(({ instance }) => instance.resources.gpus[0]);
    expect(new Set(gpus.map((gpu) => `${gpu?.name} ${(gpu?.memory_mib ?? 0) / 1024}`))).toEqual(
      new Set(['RTX4090 24', 'A5000 24', 'A100 80', 'H100 80', 'RTX4070TiSUPER 16']),
    );
  });
});

describe('an instance at Vast.ai', () => {
  it('runs the packed launcher in the image of the job, and holds no secret of the job', async () => {
    const given = await order({ image: 'ubuntu:24.04' });
    await create(given);
    const name = vmName(given.key);
    const { env, ...body } = sent();
    expect(body).toEqual({
      ...{ client_id: 'me', image: 'ubuntu:24.04', label: name, disk: 50, user: 'root' },
      ...{ runtype: 'args', onstart: '/bin/sh', target_state: 'running', cancel_unavail: true },
      args: [
        '-c',
        packedScript(CONTAINER_LAUNCHER),
        'sh',
        `wss://dstack.example/api/agents/dial/${name}`,
        given.owner.server,
      ],
    });
    const { DSTACK_AGENT_URL, DSTACK_AGENT_SHA256, DSTACK_AGENT_TOKEN, ...tags } = env as Readonly<
      Record<string, string>
    >;
    expect([DSTACK_AGENT_URL, DSTACK_AGENT_SHA256, DSTACK_AGENT_TOKEN]).toEqual([
      ...[`https://dstack.example${DOWNLOAD.path}`, DOWNLOAD.sha256, agentToken('secret', name)],
    ]);
    // Vast.ai passes them on by a command line, which changes nothing in them.
    for (const value of Object.values(tags)) expect(value).toMatch(/^[\w-]{1,240}$/);
    expect(tagsFromVariables(tags)).toEqual({
      ...{ 'dstack-server': given.owner.server, 'dstack-project': 'main', 'dstack-fleet': 'pool' },
      ...{ 'dstack-instance': given.owner.instance, 'dstack-key': given.key },
      'dstack-offer': given.offer?.instance.name,
    });
  });

  it('has the offer that was ordered, its price and its place once it is listed', async () => {
    const given = await order();
    await create(given);
    const again = await create({ ...given, mayExist: true });
    expect(again.provisioningData).toMatchObject({
      ...{ region: 'us-california', price: 0.31, entry_only: true },
      instance_type: given.offer?.instance,
    });
    expect(cloud.vms()).toBe(1);
  });

  it('is reached by the connection of its agent only', async () => {
    const given = await order();
    const created = await create(given);
    expect(await observe(created)).toMatchObject({ state: 'pending', text: 'loading' });
    clock.advance(STARTED_S);
    expect(await observe(created)).toMatchObject({
      state: 'ready',
      machine: { provisioningData: { price: 0.31, dockerized: false, entry_only: true } },
      access: { kind: 'backend', token: agentToken('secret', vmName(given.key)) },
    });
  });

  it('on spot is a bid, and its end by a higher one is an interruption', async () => {
    const created = await create(await order({}, SPOT));
    expect(sent()).toMatchObject({ price: 0.15 });
    clock.advance(STARTED_S);
    expect(await observe(created)).toMatchObject({
      machine: { provisioningData: { price: 0.16, instance_type: { resources: { spot: true } } } },
    });
    await cloud.interrupt(created.handle.id, { text: 'stopped' });
    clock.advance(STARTED_S);
    expect(await observe(created)).toEqual({
      ...{ state: 'interrupted', reason: 'spot', text: 'Vast.ai: outbid: stopped' },
    });
  });

  it('that has ended is reported in the words of the provider', async () => {
    const created = await create(await order());
    await cloud.interrupt(created.handle.id, { text: 'Error: no such image' });
    clock.advance(STARTED_S);
    expect(await observe(created)).toEqual({
      ...{ state: 'interrupted', reason: 'failed', text: 'Vast.ai: stopped: Error: no such image' },
    });
  });

  it('is pulled with the credentials of its registry', async () => {
    const registryAuth = { username: 'ada', password: 'pass' };
    await create(await order({ registryAuth, image: 'registry.example:5000/private:1' }));
    expect(sent().image_login).toBe('-u ada -p pass registry.example:5000');
    await create(await order({ registryAuth, image: 'ada/private:1' }));
    expect(sent().image_login).toBe('-u ada -p pass docker.io');
    for (const password of ['pass evil.example', '', '-x', '#pass', 'pass*', '{a,b}', '~', '$A']) {
      const injected = [
        { username: 'ada', password },
        { username: password, password: 'pass' },
      ];
      for (const one of injected) {
        expect(await failure(await order({ registryAuth: one }))).toBeInstanceOf(RefusedOrderError);
      }
    }
    expect(cloud.vms()).toBe(2);
  });

  it('uses up its offer: others are ordered meanwhile, though the last search still has it', async () => {
    const given = [await order(), await order(), await order()];
    expect(new Set(given.map(({ offer }) => offer?.instance.name)).size).toBe(1);
    const [first, ...others] = await Promise.all(given.map((one) => failure(one)));
    expect(first?.handle.id).toBeDefined();
    for (const one of others) expect(one).toBeInstanceOf(SkipOfferError);
    expect(puts()).toHaveLength(1);
    expect((await order()).offer?.instance.name).not.toBe(given[0]?.offer?.instance.name);
  });

  it('has its offer shown again once it has ended', async () => {
    const given = await order();
    const created = await create(given);
    expect(names(await offers())).not.toContain(given.offer?.instance.name);
    await backend.instances?.release(created.handle);
    clock.advance(STARTED_S);
    expect(names(await offers())).toContain(given.offer?.instance.name);
  });

  it('is not ordered at a higher price than the offer had, with its disk', async () => {
    const given = await order();
    const { offer } = given;
    if (!offer) throw new Error('there is no offer');
    const cheaper = { ...given, offer: { ...offer, price: offer.price - 0.001 } };
    expect(await failure(cheaper)).toBeInstanceOf(SkipOfferError);
    await create(given);
  });

  it('is found among more than a page of others', async () => {
    const [type] = cloud.account.catalog.types;
    if (!type) throw new Error('there is no type');
    for (let number = 0; number < 60; number++) {
      cloud.account.vms.create({
        ...{ name: '', type, region: 'California, US', image: '', keys: [], userData: null },
        ...{ tags: [], isPublic: false },
      });
      cloud.account.vms.capacity.giveBack(type, 'California, US');
    }
    const created = await create(await order());
    clock.advance(STARTED_S);
    expect(await observe(created)).toMatchObject({ state: 'ready' });
    expect(await backend.instances?.list({ server: (await order()).owner.server })).toHaveLength(1);
  });
});

describe('refusals of Vast.ai', () => {
  it.each([
    ['no_capacity', { no_capacity: 1 }, NoCapacityError, 'no_such_ask'],
    ['quota', { quota: 0 }, QuotaError, 'instance limit'],
    ['credentials', { refuse: 'credentials' }, CredentialsError, 'Invalid user key'],
    ['permission', { refuse: 'permission' }, BackendError, 'instance_write'],
    ['balance', { refuse: 'balance' }, BackendError, 'lacks credit'],
  ] as const)('%s is reported in its words', async (_, faults, kind, text) => {
    const given = await order();
    cloud.faults.set(faults);
    const error = await failure(given);
    expect(error).toBeInstanceOf(kind);
    expect(error.message).toContain(text);
    expect(cloud.vms()).toBe(0);
  });

  it('of a key are found by the check, and by searches', async () => {
    expect((await backend.check()).every(({ ok }) => ok)).toBe(true);
    const other = vastaiAt({ cloud, pace, apiKey: 'another' });
    expect(await other.check()).toMatchObject([{ ok: false, refused: true }]);
    await expect(other.offers(RTX)).rejects.toBeInstanceOf(CredentialsError);
  });

  it('of a search pause no other call', async () => {
    const created = await create(await order());
    cloud.faults.set({ rate_limit: 1, bare_rate_limit: true });
    clock.advance(3600);
    await offers();
    cloud.faults.set({});
    const before = pace.now();
    await backend.instances?.release(created.handle);
    expect(pace.now() - before).toBeLessThan(2000);
  });
});

it('the claims of servers are SSH keys of the account', async () => {
  const owner = { server: 'server-1' };
  await backend.claims?.renew(owner, { claimant: 'a', nonce: 'n1' });
  await backend.claims?.renew(owner, { claimant: 'a', nonce: 'n2' });
  expect(await backend.claims?.read(owner)).toMatchObject([{ claimant: 'a', nonce: 'n2' }]);
  expect(cloud.account.keys.all()).toHaveLength(1);
});
