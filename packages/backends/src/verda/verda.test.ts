import { Requirements } from '@dstack/contract/wire';
import { type Cloud, type ManualClock, manualClock, startCloud } from '@dstack/testkit/cloud';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  BusyError,
  CredentialsError,
  NoAnswerError,
  NoCapacityError,
  PreparingError,
  QuotaError,
} from '../base/errors.ts';
import type { InstanceOrder } from '../base/instance-port.ts';
import type { Backend } from '../base/port.ts';
import { newOrder, REQUIREMENTS } from '../base/testing/orders.ts';
import { passingPace } from '../base/testing/passing-pace.ts';
import { KEY } from '../base/testing/vm-world.ts';
import type { LocationAvailability, VerdaType } from './api.ts';
import { instanceOf, verdaOffers } from './offers.ts';
import { type VerdaAt, verdaAt } from './testing.ts';

let cloud: Cloud;
let clock: ManualClock;
let backend: Backend;
beforeEach(async () => {
  clock = manualClock();
  cloud = await startCloud({ personality: 'verda', clock });
  backend = server();
});
afterEach(() => cloud.close());

/** One more server, or the same one after a crash. */
const server = (change: Partial<VerdaAt> = {}) =>
  verdaAt({ cloud, pace: passingPace(clock), ...change });

const ON_DEMAND = Requirements.parse({ resources: { cpu: '1..', gpu: null }, spot: false });

async function order(requirements = ON_DEMAND, of = backend): Promise<InstanceOrder> {
  const { offers } = await of.offers(requirements);
  return { ...newOrder(offers[0] ?? null), authorizedKeys: [KEY] };
}

const create = (given: InstanceOrder, of = backend) => of.instances?.create(given);
const failure = async (given: InstanceOrder, of = backend) =>
  await create(given, of)?.catch((error: unknown) => error);
const NONE = { id: '', data: null };
const observed = (
  handle = NONE as { readonly id: string; readonly data: string | null },
  of = backend,
) => of.instances?.observe(handle, { facts: null });
const listedBy = async (of: Backend, { owner }: InstanceOrder) =>
  (await of.instances?.list({ server: owner.server }))?.map(({ key }) => key);

/** Asked for as a person would. */
async function ask(method: string, path: string, body?: object) {
  const [client_id, client_secret] = cloud.apiKey.split(':');
  const grant = { grant_type: 'client_credentials', client_id, client_secret };
  const json = { 'content-type': 'application/json' };
  const init = { method: 'POST', headers: json, body: JSON.stringify(grant) };
  const answer = await fetch(`${cloud.url}/v1/oauth2/token`, init);
  const { access_token } = (await answer.json()) as { readonly access_token: string };
  const headers = { ...json, authorization: `Bearer ${access_token}` };
  return await fetch(`${cloud.url}/v1${path}`, {
    ...{ method, headers },
    ...(body && { body: JSON.stringify(body) }),
  });
}

/** Machines of persons. */
function addOthers(many: number): void {
  const [type] = cloud.account.catalog.types;
  for (let count = 0; type && count < many; count++) {
    cloud.account.vms.create({
      ...{ name: `other-${count}`, type, region: 'FIN-01', image: 'ubuntu-24.04', keys: [] },
      ...{ userData: null, tags: [], isPublic: true },
    });
  }
}

const scripts = async () =>
  (await (await ask('GET', '/scripts?pageSize=100')).json()) as { readonly name: string }[];
const ordersSent = () =>
  cloud.log.filter(({ method, path }) => method === 'POST' && path === '/v1/instances');

describe('offers of Verda', () => {
  const type: VerdaType = {
    ...{ instance_type: '2A6000.20V', price_per_hour: '1.98', spot_price: '0.70' },
    ...{ cpu: { number_of_cores: 20 }, memory: { size_in_gigabytes: 120 } },
    gpu: { number_of_gpus: 2, description: '2x RTX A6000 48GB' },
    gpu_memory: { size_in_gigabytes: 96 },
  };
  const sold: LocationAvailability[] = [
    { location_code: 'FIN-01', availabilities: ['2A6000.20V'] },
  ];
  const offersOf = (change: Partial<VerdaType>, regions: readonly string[] | null = null) =>
    verdaOffers('verda', {
      ...{ types: [{ ...type, ...change }], onDemand: sold, spot: [], regions },
      locations: ['FIN-01', 'ICE-01'],
    });

  it('are types on demand and on spot, in each location, as it can be ordered there now', () => {
    const rows = offersOf({}).map(({ region, price, availability, instance }) => [
      ...[region, price, instance.resources.spot, availability],
    ]);
    expect(rows).toEqual([
      ['FIN-01', 1.98, false, 'available'],
      ['ICE-01', 1.98, false, 'not_available'],
      ['FIN-01', 0.7, true, 'not_available'],
      ['ICE-01', 0.7, true, 'not_available'],
    ]);
    expect(offersOf({ spot_price: null })).toHaveLength(2);
    expect(offersOf({}, ['ice-01']).map(({ region }) => region)).toEqual(['ICE-01', 'ICE-01']);
  });

  it('have GPUs by their description, each with its part of the memory', () => {
    expect(instanceOf(type, true)?.resources).toMatchObject({
      ...{ cpus: 20, memory_mib: 120 * 1024, spot: true },
      gpus: Array(2).fill({ vendor: 'nvidia', name: 'A6000', memory_mib: 48 * 1024 }),
    });
    const named = (description: string, gib: number) =>
      instanceOf(
        {
          ...type,
          gpu: { number_of_gpus: 1, description },
          gpu_memory: { size_in_gigabytes: gib },
        },
        false,
      )?.resources.gpus.map(({ name, memory_mib }) => `${name} ${memory_mib / 1024}`);
    expect(named('1x A100 SXM4 40GB', 40)).toEqual(['A100 40']);
    expect(named('1x B300 SXM6 268GB', 268)).toEqual(['B300 268']);
    expect(named('1x RTX PRO 6000 96GB', 96)).toEqual(['RTXPRO6000 96']);
    expect(named('1x AMD 7900XTX', 24)).toBeUndefined();
  });

  it('have the newest image with drivers and Docker that the type supports', () => {
    const imagesOf = (supported_os: readonly string[], change: Partial<VerdaType> = {}) =>
      offersOf({ ...change, supported_os })[0]?.backend_data;
    const names = ['ubuntu-24.04-cuda-12.8-open-docker', 'ubuntu-24.04-cuda-13.0-open-docker'];
    expect(imagesOf([...names, 'ubuntu-24.04', 'jupyter'])).toEqual({ image: names[1] });
    expect(imagesOf(['ubuntu-22.04'])).toEqual({ image: '2088da25-bb0d-41cc-a191-dccae45d96fd' });
    const h100 = { gpu: { number_of_gpus: 1, description: '1x H100 SXM5 80GB' } };
    expect(imagesOf([], h100)).toEqual({ image: '2404f580-1300-1111-82b3-f199fb9b701b' });
  });

  it('have a disk of the requested size, of 50 GB at least', async () => {
    const sizesOf = async (disk: string) => {
      const { offers } = await backend.offers(Requirements.parse({ resources: { disk } }));
      return offers[0]?.instance.resources.disk?.size_mib;
    };
    expect(await sizesOf('200GB..')).toBe(200 * 1024);
    expect(await sizesOf('1GB..')).toBe(50 * 1024);
    expect(await sizesOf('..40GB')).toBeUndefined();
  });
});

describe('a machine of Verda', () => {
  it('has the tags of dstack, its keys and its host key, and the disk of its order', async () => {
    const own = Object.fromEntries(Array.from({ length: 9 }, (_, at) => [`own-${at}`, 'x']));
    const given = await order(Requirements.parse({ resources: { disk: '120GB..' }, spot: false }));
    const made = await create({ ...given, tags: own });
    const [vm] = cloud.account.vms.all();
    expect(vm?.userData).toMatch(/^#!\/bin\/sh\n/);
    expect(vm?.userData).toContain(KEY);
    expect(vm?.userData).toContain('BEGIN OPENSSH PRIVATE KEY');
    expect(vm?.keys.map(({ publicKey }) => publicKey)).toEqual([KEY]);
    const keys = vm?.tags.map(({ key }) => key) ?? [];
    expect(keys).toHaveLength(10);
    expect(keys).toEqual(expect.arrayContaining(['dstack-server', 'dstack-key', 'own-0']));
    clock.advance(600);
    expect(await observed(made?.handle, server())).toMatchObject({
      ...{ state: 'ready', access: { kind: 'ssh', user: 'root', hostKey: expect.any(String) } },
      machine: {
        provisioningData: {
          price: 0.0279,
          instance_type: { resources: { disk: { size_mib: 120 * 1024 }, spot: false } },
        },
      },
    });
  });

  it('is ended with its system disk, which is named, and with its script', async () => {
    const made = await create(await order());
    clock.advance(600);
    await observed(made?.handle);
    expect(await scripts()).toHaveLength(1);
    await backend.instances?.release(made?.handle ?? NONE);
    expect(cloud.log.findLast(({ method }) => method === 'PUT')?.body).toEqual({
      ...{ id: [made?.handle.id], action: 'delete', delete_permanently: true },
      volume_ids: [expect.any(String)],
    });
    expect(await scripts()).toEqual([]);
    expect(cloud.vms()).toBe(0);
  });

  it('that another backend of the account has listed is ended with its disk and its script, too', async () => {
    const made = await create(await order());
    clock.advance(600);
    await server().instances?.release(made?.handle ?? NONE);
    const ended = cloud.log.findLast(({ method }) => method === 'PUT')?.body;
    // As the base does when a list lacks it.
    const again = await create(await order());
    clock.advance(600);
    const hidden: typeof fetch = async (input, init) =>
      /\/instances$/.test(String(input)) && init?.method === 'GET'
        ? new Response('[]')
        : await fetch(input, init);
    await server({ fetch: hidden }).instances?.release(again?.handle ?? NONE);
    const unlisted = cloud.log.findLast(({ method }) => method === 'PUT')?.body;
    for (const body of [ended, unlisted]) {
      expect(body).toMatchObject({ volume_ids: [expect.any(String)] });
    }
    expect(await scripts()).toEqual([]);
    expect(cloud.vms()).toBe(0);
  });

  it('on spot leaves no disk when it is taken back, which is reported and needs no end', async () => {
    const made = await create(await order(Requirements.parse({ resources: {}, spot: true })));
    expect(ordersSent()[0]?.body).toMatchObject({
      ...{ is_spot: true, os_volume: { on_spot_discontinue: 'delete_permanently' } },
    });
    clock.advance(600);
    await cloud.interrupt(made?.handle.id ?? '');
    clock.advance(10);
    expect(await observed(made?.handle)).toMatchObject({
      ...{ state: 'interrupted', reason: 'spot', text: 'Verda: discontinued by the provider' },
    });
    expect(await backend.instances?.release(made?.handle ?? NONE)).toBe('released');
  });

  it('that is still provisioned cannot be ended yet, and is ended later', async () => {
    cloud.faults.set({ delete_needs_ready: true, boot_seconds: [300, 300] });
    const made = await create(await order());
    expect(await backend.instances?.release(made?.handle ?? NONE)).toBe('releasing');
    expect(cloud.vms()).toBe(1);
    clock.advance(600);
    await backend.instances?.release(made?.handle ?? NONE);
    expect(cloud.vms()).toBe(0);
  });

  it('whose end failed although the action was accepted is still there, with the reason', async () => {
    const made = await create(await order());
    const partly: typeof fetch = async (input, init) => {
      if (init?.method !== 'PUT') return await fetch(input, init);
      const result = { instanceId: made?.handle.id, status: 'error', statusCode: 400 };
      return new Response(JSON.stringify([{ ...result, error: 'volume is locked' }]), {
        status: 207,
      });
    };
    const released = server({ fetch: partly }).instances?.release(made?.handle ?? NONE);
    await expect(released).rejects.toThrow('Verda: volume is locked');
  });

  it('of a person is never ended, whatever its name is', async () => {
    const given = await order();
    const made = await create(given);
    const [vm] = cloud.account.vms.all();
    const foreign = vm && cloud.account.vms.create({ ...vm, keys: [], tags: [] });
    expect(await listedBy(backend, given)).toEqual([given.key]);
    clock.advance(600);
    await observed(made?.handle);
    await backend.instances?.release(made?.handle ?? NONE);
    clock.advance(600);
    expect(cloud.account.vms.all().map(({ id }) => id)).toEqual([foreign?.id]);
  });

  it('is found on the second page of the list, and ended there', async () => {
    const given = await order();
    addOthers(150);
    const made = await create(given);
    clock.advance(600);
    const fresh = server();
    expect(await listedBy(fresh, given)).toEqual([given.key]);
    expect(await observed(made?.handle, fresh)).toMatchObject({ state: 'ready' });
    await fresh.instances?.release(made?.handle ?? NONE);
    expect(cloud.vms()).toBe(150);
  });

  it('is not taken for missing where pages repeat, which are not the whole list', async () => {
    const given = await order();
    addOthers(150);
    const made = await create(given);
    const repeating: typeof fetch = async (input, init) =>
      await fetch(String(input).replace(/([?&]page=)\d+/, '$11'), init);
    await expect(observed(made?.handle, server({ fetch: repeating }))).rejects.toThrow(
      'pages of /instances have 100 of 151',
    );
  });

  it('is ordered once when the answer is lost and the server is killed', async () => {
    await create(await order());
    const known = cloud.log.length;
    await create(await order());
    const calls = cloud.log
      .slice(known)
      .findIndex(({ path, method }) => [method, path].join(' ').startsWith('POST /v1/instances'));
    const given = await order();
    const cutOff = Array<'never arrived'>(99).fill('never arrived');
    cloud.calls.script(...Array<'answered'>(calls).fill('answered'), 'lost', ...cutOff);
    expect(await failure(given)).toBeInstanceOf(NoAnswerError);
    cloud.calls.heal();
    const again = server();
    const made = await create({ ...given, mayExist: true }, again);
    expect(made?.provisioningData).toMatchObject({ price: 0.0279, region: 'FIN-01' });
    expect(cloud.vms()).toBe(3);
  });
});

describe('start-up scripts at Verda', () => {
  it('are removed at once where an order is refused', async () => {
    const given = await order();
    cloud.faults.set({ no_capacity: 1 });
    expect(await failure(given)).toBeInstanceOf(NoCapacityError);
    expect(await scripts()).toEqual([]);
  });

  it('that no machine needs any more are removed with a later order, those of persons never', async () => {
    await ask('POST', '/scripts', { name: 'mine', script: '#!/bin/sh' });
    // A server that was killed before its order leaves this.
    await ask('POST', '/scripts', { name: `dstack-${'0'.repeat(20)}`, script: '#!/bin/sh' });
    const made = await create(await order());
    clock.advance(4000);
    await observed(made?.handle);
    await create(await order());
    expect((await scripts()).map(({ name }) => name)).toEqual([
      'mine',
      expect.stringMatching(/^dstack-(?!0{20})[0-9a-f]{20}$/),
    ]);
  });

  it('of machines that boot are kept', async () => {
    cloud.faults.set({ boot_seconds: [3000, 3000] });
    const made = await create(await order());
    clock.advance(2000);
    await observed(made?.handle);
    await create(await order());
    expect(await scripts()).toHaveLength(2);
  });

  it('that use up the quota make an order wait, with advice', async () => {
    for (let count = 0; count < 100; count++) {
      await ask('POST', '/scripts', { name: `mine-${count}`, script: '#!/bin/sh' });
    }
    const refused = await failure(await order());
    expect(refused).toBeInstanceOf(PreparingError);
    expect(String(refused)).toMatch(/Startup script quota exceeded.*ask for a higher quota/);
    expect(cloud.vms()).toBe(0);
  });
});

describe('credentials of Verda', () => {
  const SECRET = 'wrong-secret';
  const wrong = () => {
    const [id = ''] = cloud.apiKey.split(':');
    return server({ cloud: { ...cloud, apiKey: `${id}:${SECRET}` } });
  };

  it('that are wrong are refused, and never shown', async () => {
    const given = await order();
    const [refused, ...others] = (await wrong().check()) ?? [];
    expect(others).toEqual([]);
    expect(refused).toMatchObject({ ok: false, refused: true });
    const error = await failure(given, wrong());
    expect(error).toBeInstanceOf(CredentialsError);
    expect(`${error} ${JSON.stringify(refused)}`).not.toContain(SECRET);
    expect(cloud.vms()).toBe(0);
  });

  it('give a new token when one has expired, or is refused before that', async () => {
    const given = await order();
    await create(given);
    let refusals = 0;
    const strict = server({
      fetch: async (input, init) => {
        if (!String(input).endsWith('/instances') || refusals-- <= 0)
          return await fetch(input, init);
        return new Response('{"code":"unauthorized_request","message":"expired"}', { status: 401 });
      },
    });
    const tokens = () => cloud.log.filter(({ path }) => path === '/v1/oauth2/token').length;
    expect(await listedBy(strict, given)).toEqual([given.key]);
    const before = tokens();
    clock.advance(4000);
    expect(await listedBy(strict, given)).toEqual([given.key]);
    expect(tokens()).toBe(before + 1);
    clock.advance(600);
    refusals = 1;
    expect(await listedBy(strict, given)).toEqual([given.key]);
    expect(tokens()).toBe(before + 2);
  });

  it('that are refused while machines run end none of them', async () => {
    const made = await create(await order());
    clock.advance(600);
    cloud.faults.set({ refuse: 'credentials' });
    await expect(observed(made?.handle)).rejects.toThrow(CredentialsError);
    await expect(backend.instances?.release(made?.handle ?? NONE)).rejects.toThrow();
    expect(cloud.vms()).toBe(1);
    cloud.faults.set({});
    clock.advance(120);
    expect(await observed(made?.handle)).toMatchObject({ state: 'ready' });
  });
});

describe('refusals of Verda', () => {
  it('have their meaning from codes and texts', async () => {
    const given = await order();
    cloud.faults.set({ quota: 0 });
    const quota = await failure(given);
    expect(quota).toBeInstanceOf(QuotaError);
    expect(String(quota)).toContain('Instance quota exceeded for this project');
    cloud.faults.set({ refuse: 'balance' });
    expect(String(await failure(given))).toContain('Your balance is too low, please top up');
    cloud.faults.set({ rate_limit: 1 });
    expect(await failure(given)).toBeInstanceOf(BusyError);
    expect(cloud.vms()).toBe(0);
  });

  it('name regions that do not exist', async () => {
    const checks = await server({ regions: ['FIN-01', 'MOON-01'] }).check();
    expect(checks.filter(({ ok }) => !ok)).toMatchObject([
      { name: 'verda: regions', problem: expect.stringContaining('there is no region MOON-01') },
    ]);
  });

  it('and offers are the same under the former name', async () => {
    const { offers } = await server({ type: 'datacrunch' }).offers(REQUIREMENTS.met);
    expect(new Set(offers.map(({ backend: name }) => name))).toEqual(new Set(['datacrunch']));
  });
});
