import { Requirements } from '@dstack/contract/wire';
import { type Cloud, type ManualClock, manualClock, startCloud } from '@dstack/testkit/cloud';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CredentialsError, NoAnswerError, QuotaError } from '../base/errors.ts';
import type { InstanceOrder } from '../base/instance-port.ts';
import type { Backend } from '../base/port.ts';
import { newOrder, REQUIREMENTS } from '../base/testing/orders.ts';
import { passingPace } from '../base/testing/passing-pace.ts';
import { factsInMemory, KEY } from '../base/testing/vm-world.ts';
import type { Capacity, ProjectQuota, VmType } from './api.ts';
import { crusoeOffers, instanceOf } from './offers.ts';
import { signatureOf } from './signature.ts';
import { type CrusoeAt, crusoeAt } from './testing.ts';

let cloud: Cloud;
let clock: ManualClock;
let facts: ReturnType<typeof factsInMemory>;
let backend: Backend;
beforeEach(async () => {
  clock = manualClock();
  cloud = await startCloud({ personality: 'crusoe', clock });
  facts = factsInMemory();
  backend = server();
});
afterEach(() => cloud.close());

/** One more server, or the same one after a crash. */
const server = (change: Partial<CrusoeAt> = {}) =>
  crusoeAt({ cloud, url: `${cloud.url}/v1alpha5`, pace: passingPace(clock), facts, ...change });

async function order(requirements = REQUIREMENTS.met, of?: string): Promise<InstanceOrder> {
  const { offers } = await backend.offers(requirements);
  return { ...newOrder(offers[0] ?? null, of), authorizedKeys: [KEY] };
}

const create = (given: InstanceOrder, of = backend) => of.instances?.create(given);
const failure = async (given: InstanceOrder, of = backend) =>
  await create(given, of)?.catch((error: unknown) => error);
const observed = (handle: { readonly id: string; readonly data: string | null }, of = backend) =>
  of.instances?.observe(handle, { facts: null });
const NONE = { id: '', data: null };

describe('offers of Crusoe', () => {
  const type: VmType = {
    ...{ product_name: 'a100-80gb.2x', cpu_cores: 24, cpu_type: 'amd', memory_gb: 240 },
    ...{ disk_gb: 1920, num_gpu: 2, gpu_type: 'A100-PCIe-80GB' },
  };
  const capacity: Capacity = { type: 'a100-80gb.2x', location: 'us-east1-a', quantity: 4 };
  const offersOf = (
    change: Partial<VmType> = {},
    capacities: readonly Capacity[] = [capacity],
    quotas: readonly ProjectQuota[] = [],
  ) =>
    crusoeOffers({
      ...{ capacities, quotas, regions: null },
      types: [{ ...type, ...change }],
    }).map(({ region, price, availability }) => [region, price, availability]);

  it('are types with a known price and disks of their own, once in each location', () => {
    expect(offersOf()).toEqual([['us-east1-a', 3.3, 'unknown']]);
    const emptied = { ...capacity, quantity: 0 };
    expect(offersOf({}, [capacity, emptied])).toEqual([['us-east1-a', 3.3, 'unknown']]);
    expect(offersOf({}, [emptied])).toEqual([['us-east1-a', 3.3, 'not_available']]);
    expect(offersOf({ disk_gb: 0 })).toEqual([]);
    expect(offersOf({ gpu_type: 'B200-SXM-180GB' })).toEqual([]);
    const cpus = { num_gpu: 0, gpu_type: '', product_name: 's1a.20x', cpu_cores: 20 };
    expect(offersOf(cpus, [{ ...capacity, type: 's1a.20x' }])).toEqual([
      ['us-east1-a', 1.8, 'unknown'],
    ]);
    expect(instanceOf({ ...type, cpu_type: 'arm64' })?.resources).toMatchObject({
      ...{ cpu_arch: 'arm', memory_mib: 240 * 1024, disk: { size_mib: 1920 * 1024 } },
      gpus: Array(2).fill({ vendor: 'nvidia', name: 'A100', memory_mib: 80 * 1024 }),
    });
  });

  it('have the quota that their capacity names, which may be a text, or that of their family', () => {
    const quota: ProjectQuota = { type: 'A', category: 'GPU Instance', available: '2' };
    const named = { ...capacity, quota_type: 'A', num_slices: 2 };
    const has = (given: ProjectQuota, of: Capacity = named) => offersOf({}, [of], [given])[0]?.[2];
    expect(has(quota)).toBe('available');
    expect(has({ ...quota, available: '1' })).toBe('no_quota');
    expect(has({ ...quota, category: 'Storage' })).toBe('unknown');
    const family: ProjectQuota = { category: 'GPU Instance', available: 0 };
    expect(has({ ...family, programmatic_name: 'a100-80gb' }, capacity)).toBe('no_quota');
    // Another family, whose name begins in the same way.
    expect(has({ ...family, programmatic_name: 'a100-80gb-sxm' }, capacity)).toBe('unknown');
  });

  it('say that types without disks and InfiniBand are not there', async () => {
    const { notes } = await backend.offers(REQUIREMENTS.met);
    expect(notes.join()).toMatch(/without disks of their own are left out.*no InfiniBand/);
  });
});

describe('signatures', () => {
  it('are those of dstack 0.22.5', () => {
    const call = { method: 'GET', path: '/projects/p/quotas', query: 'b=2&a=1' };
    const timestamp = '2026-08-01T12:00:00+00:00';
    expect(signatureOf('c2VjcmV0', { ...call, timestamp })).toBe(
      'MTuPFDOWYosM4ACiu3fOiMhVQrQP0Zzc-ROMI63KaaU',
    );
  });

  it('are made with the time of the provider where the clock of the server is wrong', async () => {
    const day = 86_400_000;
    const sent: string[] = [];
    const strict: typeof fetch = async (input, init) => {
      const at = new Headers(init?.headers).get('x-crusoe-timestamp') ?? '';
      const providers = clock.now / 1000;
      sent.push(at);
      if (Math.abs(Date.parse(at) - providers) < 300_000) return await fetch(input, init);
      const date = new Date(providers).toUTCString();
      return new Response('{"code":"a","message":"b"}', { status: 401, headers: { date } });
    };
    const wrong = server({ fetch: strict, now: () => clock.now / 1000 - day });
    expect((await wrong.check()).every(({ ok }) => ok)).toBe(true);
    const before = sent.length;
    await create(await order(), wrong);
    expect(cloud.vms()).toBe(1);
    expect(sent.slice(before).every((at) => Date.parse(at) > clock.now / 1000 - 2000)).toBe(true);
  });
});

describe('a machine of Crusoe', () => {
  it('has a name with the mark of its server, its keys and its host key', async () => {
    await create(await order());
    const [vm] = cloud.account.vms.all();
    expect(vm?.name).toMatch(/^dstack-[0-9a-f]{8}-[0-9a-f]{20}$/);
    expect(vm?.userData).toMatch(/^#!\/bin\/sh\n/);
    expect(vm?.userData).toContain(KEY);
    expect(vm?.userData).toContain('BEGIN OPENSSH PRIVATE KEY');
    expect(vm?.image).toBe('ubuntu22.04-nvidia-pcie-docker:latest');
    const H100 = Requirements.parse({ resources: { gpu: 'H100:8' } });
    await create(await order(H100));
    expect(cloud.account.vms.all()[1]?.image).toBe('ubuntu22.04-nvidia-sxm-docker:latest');
  });

  it('is ready with the host key of its order, also for a server that has just begun', async () => {
    const made = await create(await order());
    clock.advance(600);
    expect(await observed(made?.handle ?? NONE, server())).toMatchObject({
      ...{ state: 'ready', access: { kind: 'ssh', user: 'ubuntu', hostKey: expect.any(String) } },
      machine: { provisioningData: { price: 1.8 } },
    });
  });

  it('whose order was accepted and fails was sold out, and its end is a release', async () => {
    const given = await order();
    cloud.faults.set({ no_capacity: 1 });
    const made = await create(given);
    const handle = made?.handle ?? NONE;
    expect(await observed(handle)).toMatchObject({ state: 'missing' });
    clock.advance(10);
    const failed = { state: 'interrupted', reason: 'no-room' };
    expect(await observed(handle)).toMatchObject(failed);
    // The provider has reported it once, which is kept for other servers.
    expect(await observed(handle, server())).toMatchObject(failed);
    const { offers } = await backend.offers(REQUIREMENTS.met);
    const refused = offers.find(({ region }) => region === given.offer?.region);
    expect(refused?.availability).toBe('not_available');
    await backend.instances?.release(handle);
    clock.advance(60);
    expect(await backend.instances?.release(handle)).toBe('released');
  });

  it('was sold out, although another server got the report before the order was stored', async () => {
    const given = await order();
    cloud.faults.set({ no_capacity: 1 });
    const first = await create(given);
    cloud.faults.set({ no_capacity: 1 });
    const slow = server({
      fetch: async (url, init) => {
        const answer = await fetch(url, init);
        if (init?.method !== 'POST') return answer;
        clock.advance(10);
        await observed(first?.handle ?? NONE);
        return answer;
      },
    });
    const made = await create({ ...newOrder(given.offer), authorizedKeys: [KEY] }, slow);
    expect(await observed(made?.handle ?? NONE, slow)).toMatchObject({
      ...{ state: 'interrupted', reason: 'no-room' },
    });
  });

  it('that could not be started has failed, in the words of the provider', async () => {
    cloud.faults.set({ fails_to_boot: 1 });
    const made = await create(await order());
    clock.advance(600);
    expect(await observed(made?.handle ?? NONE)).toMatchObject({
      ...{ state: 'interrupted', reason: 'failed' },
      text: 'Crusoe: order failed: the provider could not start it',
    });
  });
});

describe('whose machines are', () => {
  const listedBy = async (of: Backend, id: string) =>
    (await of.instances?.list({ server: id }))?.map(({ key }) => key);

  it('is known after an answer was lost and the server was killed', async () => {
    await create(await order());
    const known = cloud.log.length;
    await create(await order());
    const calls = cloud.log.slice(known).findIndex(({ method }) => method === 'POST');
    const given = await order();
    const answered = Array<'answered'>(calls).fill('answered');
    const cutOff = Array<'never arrived'>(99).fill('never arrived');
    cloud.calls.script(...answered, 'lost', ...cutOff);
    expect(await failure(given)).toBeInstanceOf(NoAnswerError);
    cloud.calls.heal();
    const again = server();
    const made = await create({ ...given, mayExist: true }, again);
    expect(await listedBy(again, given.owner.server)).toContain(given.key);
    expect(made?.provisioningData).toMatchObject({ price: 1.8, region: 'us-east1-a' });
    expect(cloud.vms()).toBe(3);
  });

  it('is known to its own installation only', async () => {
    const other = server({ facts: factsInMemory() });
    const ours = await order(REQUIREMENTS.met, 'ours');
    const theirs = { ...ours, owner: { ...ours.owner, server: 'theirs' } };
    await Promise.all([create(ours), create(theirs, other)]);
    // Both have one key, at one project.
    expect(cloud.vms()).toBe(2);
    expect(await listedBy(backend, 'ours')).toEqual([ours.key]);
    expect(await listedBy(backend, 'theirs')).toEqual([]);
    expect(await listedBy(other, 'theirs')).toEqual([ours.key]);
    expect(cloud.vms()).toBe(2);
  });

  it('is not decided by a name, even one that is ordered later', async () => {
    const given = await order();
    await create(given);
    const [vm] = cloud.account.vms.all();
    if (vm) await cloud.vanish(vm.id);
    // A person makes one like it; a database without the order knows nothing of either.
    const foreign = vm && cloud.account.vms.create({ ...vm, keys: [], tags: [] });
    const fresh = server({ facts: factsInMemory() });
    const made = await create(given, fresh);
    expect(made?.handle.id).not.toBe(foreign?.id);
    expect(await listedBy(fresh, given.owner.server)).toEqual([given.key]);
    await fresh.instances?.release(made?.handle ?? NONE);
    expect(cloud.account.vms.all().map(({ id }) => id)).toEqual([foreign?.id]);
  });

  it('stays known to servers that run, after a long time', async () => {
    const given = await order();
    const written: string[] = [];
    const set = (key: string, value: string) => {
      written.push(key);
      return facts.set(key, value);
    };
    const noted = { ...facts, set };
    const long = server({ facts: noted });
    await create(given, long);
    written.length = 0;
    for (let day = 0; day < 3; day++) {
      clock.advance(90_000);
      expect(await listedBy(long, given.owner.server)).toEqual([given.key]);
    }
    expect(written.filter((key) => key.startsWith('owners:'))).toHaveLength(3);
  });
});

describe('refusals of Crusoe', () => {
  it('have their meaning from their text where there is no code', async () => {
    const given = await order();
    cloud.faults.set({ quota: 0 });
    expect(await failure(given)).toBeInstanceOf(QuotaError);
    cloud.faults.set({ refuse: 'balance' });
    expect(String(await failure(given))).toContain('no payment method');
    cloud.faults.set({});
    const wrong = server({ cloud: { apiKey: 'wrong:c2VjcmV0' } });
    expect(await wrong.check()).toMatchObject([{ ok: false, refused: true }]);
    await expect(wrong.offers(REQUIREMENTS.met)).rejects.toThrow(CredentialsError);
    const broken = server({ cloud: { apiKey: 'a\nb:c2VjcmV0' } });
    await expect(broken.offers(REQUIREMENTS.met)).rejects.toThrow('such as a line break');
    expect(cloud.vms()).toBe(0);
  });

  it('name regions that do not exist', async () => {
    const checks = await server({ regions: ['us-east1-a', 'moon'] }).check();
    expect(checks.filter(({ ok }) => !ok)).toMatchObject([
      { name: 'crusoe: regions', problem: expect.stringContaining('there is no region moon') },
    ]);
  });
});
