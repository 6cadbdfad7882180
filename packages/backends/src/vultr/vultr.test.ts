import { Requirements } from '@dstack/contract/wire';
import { type Cloud, type ManualClock, manualClock, startCloud } from '@dstack/testkit/cloud';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CredentialsError, NoCapacityError, QuotaError } from '../base/errors.ts';
import type { InstanceOrder } from '../base/instance-port.ts';
import type { Backend } from '../base/port.ts';
import { newOrder, REQUIREMENTS } from '../base/testing/orders.ts';
import { passingPace } from '../base/testing/passing-pace.ts';
import { KEY } from '../base/testing/vm-world.ts';
import type { NewServer, Plan } from './api.ts';
import { instanceOfPlan, vultrOffers } from './offers.ts';
import { vultrAt } from './testing.ts';

let cloud: Cloud;
let clock: ManualClock;
let backend: Backend;
beforeEach(async () => {
  clock = manualClock();
  cloud = await startCloud({ personality: 'vultr', clock });
  backend = vultrAt({ cloud, pace: passingPace(clock) });
});
afterEach(() => cloud.close());

const H100 = Requirements.parse({ resources: { gpu: 'H100:8' } });

async function order(requirements = REQUIREMENTS.met): Promise<InstanceOrder> {
  const { offers } = await backend.offers(requirements);
  return { ...newOrder(offers[0] ?? null), authorizedKeys: [KEY] };
}

const create = (given: InstanceOrder) => backend.instances?.create(given);
const failure = async (given: InstanceOrder) =>
  await create(given)?.catch((error: unknown) => error);
const observed = (handle: { readonly id: string; readonly data: string | null } | undefined) =>
  backend.instances?.observe(handle ?? { id: '', data: null }, { facts: null });

describe('offers of Vultr', () => {
  const plan: Plan = {
    ...{ id: 'vc2-1c-1gb', type: 'vc2', ram: 1024, disk: 25, vcpu_count: 1, hourly_cost: 0.007 },
    locations: ['ewr', '', 'AMS', 'ewr'],
  };

  it('are plans with a price that can be ordered now, once in each region', () => {
    const regionsOf = (change: Partial<Plan>, regions: readonly string[] | null = null) =>
      vultrOffers([{ ...plan, ...change }], regions).map(({ region }) => region);
    expect(regionsOf({})).toEqual(['ewr', 'AMS']);
    expect(regionsOf({}, ['ams'])).toEqual(['AMS']);
    expect(regionsOf({ hourly_cost: 0 })).toEqual([]);
    expect(regionsOf({ deploy_ondemand: false })).toEqual([]);
    expect(regionsOf({ type: 'vdm' })).toEqual([]);
    expect(regionsOf({ id: 'vbm-4c-32gb', type: 'SSD' })).toEqual([]);
  });

  it('have whole GPUs, and parts of one with less memory', () => {
    const gpusOf = (change: Partial<Plan>) =>
      instanceOfPlan({ ...plan, type: 'vcg', ...change })?.resources.gpus.map(
        ({ name, memory_mib }) => `${name} ${memory_mib / 1024}`,
      );
    expect(gpusOf({ gpu_type: 'NVIDIA_A16', gpu_vram_gb: 2 })).toEqual(['A16 2']);
    expect(gpusOf({ gpu_type: 'NVIDIA_A100', gpu_vram_gb: 160 })).toEqual(['A100 80', 'A100 80']);
    expect(gpusOf({ gpu_type: 'NVIDIA_X900', gpu_vram_gb: 80 })).toBeUndefined();
    const metal = (id: string) => gpusOf({ id, type: 'SSD', cpu_threads: 128 });
    expect(metal('vbm-64c-2048gb-8-l40-gpu')).toEqual(Array(8).fill('L40S 48'));
    expect(metal('vbm-256c-2048gb-8-mi300x-gpu')).toEqual(Array(8).fill('MI300X 192'));
    expect(metal('vbm-72c-480gb-gh200-gpu')).toBeUndefined();
    expect(metal('vbm-6c-32gb')).toEqual([]);
  });
});

describe('a machine of Vultr', () => {
  it('lets in keys by its user data, opens its firewall to its network, and has flat tags', async () => {
    await create(await order());
    await create(await order());
    const [vm] = cloud.account.vms.all();
    expect(vm?.userData).toContain(KEY);
    expect(vm?.userData).toContain('ufw allow from 10.0.0.0/8');
    expect(vm?.tags.map(({ key }) => key)).toContain('dstack-project:main');
    const networks = cloud.log.filter(
      ({ method, path }) => `${method} ${path}` === 'POST /v2/vpcs',
    );
    expect(networks.map(({ body }) => body)).toEqual([
      { region: vm?.region, description: `dstack-vpc-${vm?.region}` },
    ]);
  });

  it('is in the network of those of another server, although both have added one at once', async () => {
    const given = await order();
    let isFirst = true;
    const other = vultrAt({
      ...{ cloud, pace: passingPace(clock) },
      fetch: async (url, init) => {
        const answer = await fetch(url, init);
        if (isFirst && String(url).includes('/vpcs')) {
          isFirst = false;
          await orderAt(backend);
        }
        return answer;
      },
    });
    const orderAt = (one: Backend) =>
      one.instances?.create({ ...newOrder(given.offer), authorizedKeys: [KEY] });
    const posted = (what: string) =>
      cloud.log.filter(({ method, path }) => `${method} ${path}` === `POST /v2/${what}`);
    await orderAt(other);
    expect(posted('vpcs')).toHaveLength(2);
    const { length } = posted('instances');
    for (const one of [backend, other]) await orderAt(one);
    const later = posted('instances').slice(length);
    const networks = later.map(({ body }) => (body as unknown as NewServer).attach_vpc[0]);
    expect(networks).toHaveLength(2);
    expect(new Set(networks).size).toBe(1);
  });

  it('of bare metal is ordered, followed and ended at the paths of bare metal', async () => {
    const made = await create(await order(H100));
    clock.advance(600);
    expect(await observed(made?.handle)).toMatchObject({
      state: 'ready',
      machine: { provisioningData: { price: 23.92, username: 'root' } },
    });
    const { instances } = backend;
    await instances?.release(made?.handle ?? { id: '', data: null });
    expect(cloud.vms()).toBe(0);
    const ends = cloud.log.filter(({ method }) => method === 'DELETE').map(({ status }) => status);
    expect(ends).toEqual([404, 204]);
  });

  it('that the provider suspends has failed, in its words', async () => {
    const made = await create(await order());
    clock.advance(600);
    await cloud.interrupt(made?.handle.id ?? '');
    clock.advance(10);
    expect(await observed(made?.handle)).toMatchObject({
      ...{ state: 'interrupted', text: 'Vultr: suspended' },
    });
  });
});

describe('refusals of Vultr', () => {
  it('differ by their texts alone', async () => {
    const given = await order();
    cloud.faults.set({ no_capacity: 1 });
    const sold = await failure(given);
    expect(sold).toBeInstanceOf(NoCapacityError);
    expect(sold).not.toBeInstanceOf(QuotaError);
    cloud.faults.set({ quota: 0 });
    expect(await failure(given)).toBeInstanceOf(QuotaError);
    cloud.faults.set({ refuse: 'balance' });
    expect(String(await failure(given))).toContain('Your account has a balance due.');
    cloud.faults.set({});
    const wrong = vultrAt({ cloud: { ...cloud, apiKey: 'wrong' }, pace: passingPace(clock) });
    expect(await wrong.check()).toMatchObject([{ ok: false, refused: true }]);
    await expect(wrong.instances?.create(given)).rejects.toThrow(CredentialsError);
    expect(cloud.vms()).toBe(0);
  });
});
