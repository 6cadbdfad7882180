import { Requirements } from '@dstack/contract/wire';
import { type Cloud, type ManualClock, manualClock, startCloud } from '@dstack/testkit/cloud';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BackendError, NoCapacityError, QuotaError } from '../base/errors.ts';
import type { InstanceOrder } from '../base/instance-port.ts';
import type { Backend } from '../base/port.ts';
import { flatTags, tagsFrom } from '../base/rest-vm/flat-tags.ts';
import { newOrder, REQUIREMENTS } from '../base/testing/orders.ts';
import { passingPace } from '../base/testing/passing-pace.ts';
import { dropletInstance, imageFor } from './offers.ts';
import { digitalOceanAt } from './testing.ts';

let cloud: Cloud;
let clock: ManualClock;
let backend: Backend;
beforeEach(async () => {
  clock = manualClock();
  cloud = await startCloud({ personality: 'digitalocean', clock });
  backend = digitalOceanAt({ cloud, url: cloud.url, pace: passingPace(clock) });
});
afterEach(() => cloud.close());

const H100 = Requirements.parse({ resources: { gpu: 'H100:1' } });

async function order(requirements = REQUIREMENTS.met): Promise<InstanceOrder> {
  const { offers } = await backend.offers(requirements);
  const given = newOrder(offers[0] ?? null);
  return { ...given, authorizedKeys: ['ssh-ed25519 AAAAC3Nz main'] };
}

const failure = async (given: InstanceOrder) =>
  await backend.instances?.create(given).catch((error) => error);

it('has offers with all GPUs of a size, and the image that fits them', () => {
  const size = (slug: string, model: string, count: number, amount: number) =>
    dropletInstance({
      ...{ slug, vcpus: 20, memory: 245_760, disk: 720, price_hourly: 1, regions: [] },
      ...{ available: true, gpu_info: { count, model, vram: { amount, unit: 'gib' } } },
    });
  const eight = size('gpu-h100x8-640gb', 'nvidia_h100', 8, 640);
  expect(eight?.resources.gpus).toHaveLength(8);
  expect(eight?.resources.gpus[0]).toEqual({
    ...{ vendor: 'nvidia', name: 'H100', memory_mib: 80 * 1024 },
  });
  expect(size('a', 'nvidia_h100', 8, 80)?.resources.gpus[0]?.memory_mib).toBe(80 * 1024);
  expect(size('b', 'nvidia_rtx4000_ada', 1, 20)?.resources.gpus[0]?.name).toBe('RTX4000Ada');
  const amd = size('c', 'amd_mi300x', 1, 192);
  expect(amd && imageFor(amd)).toBe('gpu-amd-base');
  expect(eight && imageFor(eight)).toBe('gpu-h100x8-base');
  expect(size('d', 'nvidia_x900', 1, 900)).toBeNull();
});

it('keeps tags of any text in the flat ones', () => {
  const tags = { 'dstack-key': 'instance.create:a_b:0', name: 'zwölf €' };
  const flat = flatTags(tags);
  for (const tag of flat) expect(tag).toMatch(/^[\w:-]{1,255}$/);
  expect(tagsFrom(flat)).toEqual(tags);
  expect(tagsFrom(['of-a-person'])).toEqual({ 'of-a-person': '' });
});

describe('a droplet', () => {
  it('with GPUs is found again, although other lists do not have it', async () => {
    const given = await order(H100);
    const made = await backend.instances?.create(given);
    const again = digitalOceanAt({ cloud, url: cloud.url, pace: passingPace(clock) });
    expect((await again.instances?.create(given))?.handle).toEqual(made?.handle);
    expect(await again.instances?.list({ server: given.owner.server })).toEqual([
      { handle: made?.handle, owner: given.owner, key: given.key },
    ]);
    expect(cloud.vms()).toBe(1);
  });

  it('uses the key of the project that the account has under another name', async () => {
    cloud.account.keys.add('of a person', 'ssh-ed25519 AAAAC3Nz other comment');
    await backend.instances?.create(await order());
    expect(cloud.account.vms.all()[0]?.keys.map(({ name }) => name)).toEqual(['of a person']);
  });

  it('that could not be started is reported as failed, and still released', async () => {
    cloud.faults.set({ fails_to_boot: 1, boot_seconds: [5, 5] });
    const made = await backend.instances?.create(await order());
    if (!made) throw new Error('it was not created');
    clock.advance(60);
    expect(await backend.instances?.observe(made.handle, { facts: null })).toMatchObject({
      ...{ state: 'interrupted', reason: 'failed', text: 'DigitalOcean: off' },
    });
    await backend.instances?.release(made.handle);
    expect(await backend.instances?.release(made.handle)).toBe('released');
    expect(cloud.vms()).toBe(0);
  });

  it('is refused with the text of the provider, by which its cause is known', async () => {
    const given = await order();
    cloud.faults.set({ quota: 0 });
    expect(await failure(given)).toBeInstanceOf(QuotaError);
    cloud.faults.set({ no_capacity: 1 });
    const sold = await failure(given);
    expect(sold).toBeInstanceOf(NoCapacityError);
    expect(sold.message).toBe('DigitalOcean: Size is not available in this region.');
    cloud.faults.set({ refuse: 'permission' });
    expect(await failure(given)).toBeInstanceOf(BackendError);
    expect(cloud.vms()).toBe(0);
  });

  it('belongs to the project of the configuration, if the account has it', async () => {
    const at = (projectName: string) =>
      digitalOceanAt({ cloud, url: cloud.url, projectName, pace: passingPace(clock) });
    await at('first-project').instances?.create(await order());
    expect(JSON.stringify(cloud.log.at(-1)?.body)).toContain('project_id');
    const checks = await at('nowhere').check();
    expect(checks.find(({ ok }) => !ok)).toMatchObject({
      name: 'digitalocean: project:read',
      problem: 'DigitalOcean has no project nowhere (project_name)',
    });
  });
});
