import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Requirements } from '@dstack/contract/wire';
import type { Offer } from '@dstack/core';
import { type Cloud, type ManualClock, manualClock, startCloud } from '@dstack/testkit/cloud';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  CredentialsError,
  NoCapacityError,
  PreparingError,
  QuotaError,
  SkipOfferError,
} from '../base/errors.ts';
import type { InstanceOrder } from '../base/instance-port.ts';
import type { Backend } from '../base/port.ts';
import { hostKeyOf } from '../base/rest-vm/host-keys.ts';
import { newOrder, REQUIREMENTS } from '../base/testing/orders.ts';
import { passingPace } from '../base/testing/passing-pace.ts';
import { lambdaInstance } from './offers.ts';
import { lambdaAt } from './testing.ts';

const A10 = Requirements.parse({ resources: { gpu: 'A10' } });
const OLD_S = 60;

let cloud: Cloud;
let clock: ManualClock;
let backend: Backend;
beforeEach(async () => {
  clock = manualClock();
  cloud = await startCloud({ personality: 'lambda', clock });
  backend = lambdaAt({ cloud, pace: passingPace(clock) });
});
afterEach(() => cloud.close());

const offers = async (requirements = A10, of = backend) => (await of.offers(requirements)).offers;

async function order(change: Partial<InstanceOrder> = {}): Promise<InstanceOrder> {
  const [offer = null] = await offers();
  return { ...newOrder(offer), authorizedKeys: ['ssh-ed25519 AAAAC3Nz main\n'], ...change };
}

const create = async (given: InstanceOrder) => await backend.instances?.create(given);
const failure = async (given: InstanceOrder) => await create(given).catch((error) => error);

describe('offers of Lambda', () => {
  it('have its own prices, sizes and the regions with capacity', async () => {
    cloud.sellOut('gpu_1x_a10', 'us-west-1');
    const found = await offers();
    expect(found.map(({ region, availability }) => `${region} ${availability}`).sort()).toEqual([
      ...['europe-central-1 available', 'us-east-1 available', 'us-south-1 available'],
    ]);
    expect(found[0]).toMatchObject({ backend: 'lambda', price: 0.75, instance_runtime: 'shim' });
    expect(found[0]?.instance).toEqual({
      name: 'gpu_1x_a10',
      resources: {
        ...{ cpus: 30, memory_mib: 200 * 1024, spot: false, description: '', cpu_arch: 'x86' },
        gpus: [{ vendor: 'nvidia', name: 'A10', memory_mib: 24 * 1024 }],
        disk: { size_mib: 1400 * 1024 },
      },
    });
  });

  it('are those of the configured regions only, with the cheapest first', async () => {
    const only = lambdaAt({ cloud, pace: passingPace(clock), regions: ['us-east-1'] });
    const found = await offers(REQUIREMENTS.met, only);
    expect(new Set(found.map(({ region }) => region))).toEqual(new Set(['us-east-1']));
    expect(found.map(({ price }) => price)).toEqual(
      found.map(({ price }) => price).sort((a, b) => a - b),
    );
  });

  it('have machines with Arm processors, and none with GPUs that are not known', () => {
    const specs = { vcpus: 64, memory_gib: 432, storage_gib: 4096, gpus: 1 };
    const type = { description: '', price_cents_per_hour: 149, specs };
    const of = (name: string, gpu: string) =>
      lambdaInstance({ ...type, name, gpu_description: gpu })?.resources;
    expect(of('gpu_1x_gh200', 'GH200 (96 GB)')).toMatchObject({
      ...{ cpu_arch: 'arm', gpus: [{ name: 'GH200', memory_mib: 96 * 1024 }] },
    });
    expect(of('gpu_8x_v100_n', 'Tesla V100 (16 GB)')?.gpus).toMatchObject([{ name: 'V100' }]);
    expect(of('gpu_1x_rtx6000', 'RTX 6000 (24 GB)')?.gpus).toMatchObject([{ name: 'RTX6000' }]);
    expect(of('gpu_1x_future', 'X900 (900 GB)')).toBeUndefined();
  });
});

describe('a machine at Lambda', () => {
  it('has a name and tags by which it is found, and user data that lets the server in', async () => {
    const given = await order({ tags: { team: 'ml', Upper: 'left out' } });
    await create(given);
    const [vm] = cloud.account.vms.all();
    expect(vm?.name).toMatch(/^dstack-[0-9a-f]{20}$/);
    const tags = Object.fromEntries((vm?.tags ?? []).map(({ key, value }) => [key, value]));
    expect(tags).toEqual({
      'dstack-server': given.owner.server,
      'dstack-project': 'main',
      'dstack-fleet': 'pool',
      'dstack-instance': given.owner.instance,
      'dstack-key': given.key,
      team: 'ml',
    });
    expect(vm?.keys.map(({ publicKey }) => publicKey)).toEqual(['ssh-ed25519 AAAAC3Nz main']);
    const data = JSON.parse(vm?.userData?.replace('#cloud-config\n', '') ?? '');
    expect(data.ssh_authorized_keys).toEqual(['ssh-ed25519 AAAAC3Nz main']);
    expect(data.ssh_keys.ed25519_public).toBe(hostKeyOf('secret', given.key).publicKey);
  });

  it('has user data that cloud-init understands', async () => {
    await create(await order());
    const dir = mkdtempSync(join(tmpdir(), 'user-data-'));
    const file = join(dir, 'user-data');
    writeFileSync(file, cloud.account.vms.all()[0]?.userData ?? '');
    try {
      const run = () =>
        execFileSync('cloud-init', ['schema', '--config-file', file], {
          encoding: 'utf8',
          stdio: 'pipe',
        });
      expect(run()).toContain('Valid');
    } catch (error) {
      if ((error as { code?: string }).code !== 'ENOENT') throw error;
      console.warn('user data is NOT validated: cloud-init is not installed');
    } finally {
      rmSync(dir, { recursive: true });
    }
  });

  it('is reached with the host key that it was given', async () => {
    const given = await order();
    const created = await create(given);
    if (!created) throw new Error('it was not created');
    clock.advance(OLD_S);
    expect(await backend.instances?.observe(created.handle, { facts: null })).toMatchObject({
      state: 'ready',
      machine: { provisioningData: { price: 0.75, username: 'ubuntu', ssh_port: 22 } },
      access: { kind: 'ssh', user: 'ubuntu', hostKey: hostKeyOf('secret', given.key).blob },
    });
  });

  it('that is reclaimed is reported as the provider spells it', async () => {
    const created = await create(await order());
    if (!created) throw new Error('it was not created');
    await cloud.interrupt(created.handle.id);
    clock.advance(OLD_S);
    expect(await backend.instances?.observe(created.handle, { facts: null })).toEqual({
      ...{ state: 'interrupted', reason: 'spot', text: 'Lambda: preempted' },
    });
  });

  it('is observed by one call for all of them', async () => {
    const created = [await create(await order()), await create(await order())];
    clock.advance(OLD_S);
    const before = cloud.log.length;
    for (const one of created) {
      if (one) await backend.instances?.observe(one.handle, { facts: null });
    }
    expect(cloud.log.slice(before).map(({ path }) => path)).toEqual(['/api/v1/instances']);
  });

  it('is never created by a call that is repeated: each launch in the log made one machine', async () => {
    cloud.faults.set({ lost_response: 0.4, eventual_seconds: 10, rate_limit: 0.2 });
    for (let number = 0; number < 4; number++) {
      const given = await order().catch(() => null);
      if (given === null) continue;
      let answer = await failure(given);
      while (answer instanceof Error) answer = await failure({ ...given, mayExist: true });
    }
    const ids = cloud.account.vms.all().map(({ name }) => name);
    expect(new Set(ids).size).toBe(ids.length);
  });
});

describe('refusals of Lambda', () => {
  it('for lack of capacity are about the offer, which is not shown as available for a while', async () => {
    const given = await order();
    const { instance, region } = given.offer as Offer;
    cloud.sellOut(instance.name, region);
    const error = await failure(given);
    expect(error).toBeInstanceOf(NoCapacityError);
    expect(error.message).toBe(
      'Lambda: Not enough capacity to fulfill launch request. Choose an instance type with more availability, or try again later.',
    );
    const same = (await offers()).find((one) => one.region === region);
    expect(same?.availability).toBe('not_available');
    expect(cloud.vms()).toBe(0);
  });

  it('for a quota name it in its words', async () => {
    const given = await order();
    cloud.faults.set({ quota: 0 });
    const error = await failure(given);
    expect(error).toBeInstanceOf(QuotaError);
    expect(error.message).toContain('Contact Support to increase your quota.');
    expect((await offers()).map(({ availability }) => availability)).toContain('no_quota');
  });

  it('of the key reach plans, orders and the check', async () => {
    const wrong = lambdaAt({ cloud, pace: passingPace(clock), apiKey: 'secret_wrong' });
    await expect(wrong.offers(A10)).rejects.toThrow(CredentialsError);
    const [result] = await wrong.check();
    expect(result).toMatchObject({ ok: false, refused: true });
    expect(result?.problem).toContain('API key was invalid, expired, or deleted.');
    expect(JSON.stringify(result)).not.toContain('secret_wrong');
    expect(await backend.check()).toEqual([
      { name: 'lambda: the API key is accepted', ok: true, problem: null },
    ]);
  });

  it('of one call too many are waited for by look-ups, and are not about the key', async () => {
    const headers = { authorization: `Bearer ${cloud.apiKey}` };
    // Another program uses the account.
    await fetch(`${cloud.url}/api/v1/instances`, { headers });
    expect((await backend.check())[0]).toMatchObject({ ok: true });
    cloud.faults.set({ rate_limit: 1 });
    expect((await backend.check())[0]).toMatchObject({
      ok: false,
      unanswered: true,
      refused: false,
    });
  });

  it('are ours where the price has risen since the offer was chosen', async () => {
    const given = await order();
    const cheap = { ...given, offer: given.offer && { ...given.offer, price: 0.5 } };
    const error = await failure(cheap);
    expect(error).toBeInstanceOf(SkipOfferError);
    expect(error.message).toBe('it costs $0.75/h now, and $0.5/h when it was chosen');
    expect(cloud.vms()).toBe(0);
  });
});

it('a key with a line break is refused without being shown', async () => {
  const wrong = lambdaAt({ cloud: { ...cloud, apiKey: 'sec\nret' }, pace: passingPace(clock) });
  const error = await wrong.offers(A10).catch((failed: unknown) => failed);
  expect(error).toBeInstanceOf(CredentialsError);
  expect(String(error)).toMatch(/line break/);
  expect(String(error)).not.toMatch(/ret\b/);
});

it('a launch that waits for its turn is not sent when its caller has given up', async () => {
  await create(await order());
  const given = await order();
  const gaveUp = new AbortController();
  // The second launch would have to wait for twelve seconds.
  const answer = await failure({
    ...given,
    signal: gaveUp.signal,
    onSending: async () => gaveUp.abort(),
  });
  expect(answer).toBeInstanceOf(PreparingError);
  expect(answer.message).toBe('Lambda: not sent, because its caller has given up');
  expect(cloud.vms()).toBe(1);
});
