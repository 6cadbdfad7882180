import { afterEach, expect, it } from 'vitest';
import { type ManualClock, manualClock } from './clock.ts';
import type { VmHostOrder } from './hosts.ts';
import { type Cloud, type CloudOptions, startCloud } from './start-cloud.ts';

const TYPE = 'gpu_1x_a10';
const REGION = 'us-east-1';

let cloud: Cloud | null = null;
let clock: ManualClock;

/** A cloud whose clock stands still, without the provider's limits. */
async function start(options: Partial<CloudOptions> = {}): Promise<Cloud> {
  clock = manualClock();
  cloud = await startCloud({ personality: 'lambda', clock, limits: false, ...options });
  cloud.account.keys.add('ada', 'ssh-ed25519 AAAA ada');
  return cloud;
}

afterEach(async () => {
  await cloud?.close();
  cloud = null;
});

async function call(method: string, path: string, body?: unknown) {
  const { url = '', apiKey = '' } = cloud ?? {};
  const response = await fetch(`${url}/api/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${apiKey}` },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, headers: response.headers, ...(await answerOf(response)) };
}

interface Answer {
  // biome-ignore lint/suspicious/noExplicitAny: the test reads single fields of JSON.
  readonly data?: any;
  readonly error?: { readonly code: string };
}

const answerOf = async (response: Response) => (await response.json()) as Answer;

const launch = (name = 'one') =>
  call('POST', '/instance-operations/launch', {
    ...{ region_name: REGION, instance_type_name: TYPE, ssh_key_names: ['ada'], name },
  });
const terminate = (id: string) =>
  call('POST', '/instance-operations/terminate', { instance_ids: [id] });
const list = async () => (await call('GET', '/instances')).data;
const idOf = async (launched: ReturnType<typeof launch>): Promise<string> =>
  (await launched).data.instance_ids[0];

it('a machine is pending until its boot time has passed, and ends when that is requested', async () => {
  const { history, vms } = await start({ faults: { boot_seconds: [30, 30] } });
  const id = await idOf(launch());
  expect(await list()).toMatchObject([{ id, name: 'one', status: 'booting' }]);
  clock.advance(30);
  expect(await list()).toMatchObject([{ status: 'active', ip: expect.stringMatching(/^\d/) }]);
  expect((await terminate(id)).data.terminated_instances).toMatchObject([
    { id, status: 'terminating' },
  ]);
  expect(await list()).toEqual([]);
  expect(history()).toEqual([`+${id}`, `-${id}`]);
  expect(vms()).toBe(0);
});

it('the answer to a lost call does not arrive although the machine was made', async () => {
  const { calls, vms } = await start();
  calls.fail(1, 'lost');
  await list();
  await expect(launch()).rejects.toThrow();
  expect(vms()).toBe(1);
  expect((await launch('two')).status).toBe(200);
});

it('a call that never arrived made nothing', async () => {
  const { calls, vms } = await start();
  calls.fail(0, 'never arrived');
  await expect(launch()).rejects.toThrow();
  expect(vms()).toBe(0);
});

it('a refused call makes nothing and is answered with 500', async () => {
  const { calls, vms } = await start();
  calls.fail(0, 'refused');
  expect((await launch()).status).toBe(500);
  expect(vms()).toBe(0);
  calls.fail(0, 'refused');
  calls.heal();
  expect((await launch()).status).toBe(200);
});

it('faults of the control file hold from the next call on', async () => {
  const { faults, sellOut } = await start({ faults: { quota: 0 } });
  expect(await launch()).toMatchObject({ status: 400, error: { code: 'global/quota-exceeded' } });
  faults.set({ no_capacity: 1 });
  const code = 'instance-operations/launch/insufficient-capacity';
  expect(await launch()).toMatchObject({ status: 400, error: { code } });
  faults.set({ refuse: 'balance' });
  expect(await launch()).toMatchObject({
    status: 403,
    error: { code: 'global/account-inactive' },
  });
  faults.set({ rate_limit: 1 });
  const limited = await launch();
  expect([limited.status, limited.headers.get('retry-after')]).toEqual([429, '1']);
  faults.set({ rate_limit: 1, bare_rate_limit: true });
  expect((await launch()).headers.get('retry-after')).toBeNull();
  faults.set({});
  sellOut(TYPE, REGION);
  expect(await launch()).toMatchObject({ status: 400, error: { code } });
  const types = (await call('GET', '/instance-types')).data;
  const names = types[TYPE].regions_with_capacity_available.map(
    (one: { name: string }) => one.name,
  );
  expect(names).not.toContain(REGION);
  expect(() => faults.set({ quota: -1 })).toThrow('quota');
});

it('a region has as many machines of a type as are left, and gets back those that end', async () => {
  const { account } = await start();
  account.vms.capacity.set(TYPE, REGION, 1);
  const id = await idOf(launch());
  expect((await launch('two')).status).toBe(400);
  await terminate(id);
  expect((await launch('two')).status).toBe(200);
});

it('a new machine is missing in answers for a while where they are eventually consistent', async () => {
  await start({ faults: { eventual_seconds: 5 } });
  const id = await idOf(launch());
  expect(await list()).toEqual([]);
  expect((await call('GET', `/instances/${id}`)).status).toBe(404);
  clock.advance(5);
  expect(await list()).toMatchObject([{ id }]);
});

it('a machine can fail after it was accepted, or never be ready', async () => {
  const { faults } = await start({ faults: { fails_to_boot: 1, boot_seconds: [9, 9] } });
  await launch('fails');
  faults.set({ never_ready: 1 });
  await launch('never');
  clock.advance(8);
  expect(await list()).toMatchObject([{ status: 'booting' }, { status: 'booting' }]);
  clock.advance(1000);
  expect(await list()).toMatchObject([{ status: 'terminated' }, { status: 'booting' }]);
});

it('the end of a machine can take long, have no effect at first, or be refused while it boots', async () => {
  const { faults, vms } = await start({ faults: { delete_seconds: 60, slow_release: 1 } });
  const id = await idOf(launch());
  await terminate(id);
  clock.advance(100);
  expect(await list()).toMatchObject([{ id, status: 'active' }]);
  await terminate(id);
  clock.advance(59);
  expect(await list()).toMatchObject([{ id, status: 'terminating' }]);
  clock.advance(1);
  expect(vms()).toBe(0);
  faults.set({ delete_needs_ready: true, boot_seconds: [10, 10] });
  const other = await idOf(launch());
  expect((await terminate(other)).status).toBe(409);
  clock.advance(10);
  expect((await terminate(other)).status).toBe(200);
});

it('an interrupted machine is listed as such, and a deleted one is missing', async () => {
  const { interrupt, vanish } = await start();
  const id = await idOf(launch());
  await interrupt(id);
  expect(await list()).toMatchObject([{ id, status: 'preempted' }]);
  await vanish(id);
  expect(await list()).toEqual([]);
  expect(await terminate(id)).toMatchObject({
    status: 404,
    error: { code: 'global/object-does-not-exist' },
  });
});

it('a machine runs on between the notice that it is reclaimed and its end', async () => {
  const { interrupt, account } = await start();
  const id = await idOf(launch());
  const over = interrupt(id, { noticeSeconds: 120 });
  clock.advance(119);
  expect(await list()).toMatchObject([{ status: 'active' }]);
  expect(account.vms.get(id)?.reclaimedAt).toBe(clock.now + 1_000_000);
  clock.advance(1);
  await over;
  expect(await list()).toMatchObject([{ status: 'preempted' }]);
});

it('an address can appear again at once on another machine', async () => {
  const { faults } = await start({ faults: { reuse_address: true } });
  const id = await idOf(launch());
  const [{ ip }] = await list();
  await terminate(id);
  await launch('two');
  expect((await list())[0].ip).toBe(ip);
  faults.set({});
  await launch('three');
  expect((await list())[1].ip).not.toBe(ip);
});

it('held calls wait before their effect, or before their answer', async () => {
  const { faults, vms } = await start({ faults: { hold: 'answer' } });
  const held = launch();
  await expect.poll(vms).toBe(1);
  faults.set({ hold: 'request' });
  const second = launch('two');
  expect((await held).status).toBe(200);
  expect(vms()).toBe(1);
  faults.set({});
  expect((await second).status).toBe(200);
  expect(vms()).toBe(2);
});

it('every request is logged with its body and the status of its answer', async () => {
  const { log } = await start();
  await launch();
  expect(log).toMatchObject([
    {
      method: 'POST',
      path: '/api/v1/instance-operations/launch',
      body: { name: 'one' },
      status: 200,
    },
  ]);
});

it('machines get hosts, and are ready when these have booted', async () => {
  const booted = Promise.withResolvers<string>();
  const orders: VmHostOrder[] = [];
  const ended: string[] = [];
  const hosts = {
    boot: (order: VmHostOrder) => {
      orders.push(order);
      return booted.promise;
    },
    end: async (id: string) => void ended.push(id),
    reboot: async () => {},
  };
  const { vms } = await start({ hosts, faults: { no_ssh: 1 } });
  const id = await idOf(launch());
  expect(orders).toMatchObject([
    { id, loginUser: 'ubuntu', authorizedKeys: ['ssh-ed25519 AAAA ada'], hasSshd: false },
  ]);
  expect(await list()).toMatchObject([{ status: 'booting' }]);
  booted.resolve('10.1.2.3');
  await expect.poll(list).toMatchObject([{ status: 'active', ip: '10.1.2.3' }]);
  await terminate(id);
  await expect.poll(vms).toBe(0);
  expect(ended).toEqual([id]);
});
