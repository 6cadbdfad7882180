import { Requirements } from '@dstack/contract/wire';
import { type Cloud, type ManualClock, manualClock, startCloud } from '@dstack/testkit/cloud';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  BackendError,
  BusyError,
  CredentialsError,
  NoAnswerError,
  NoCapacityError,
  QuotaError,
} from '../base/errors.ts';
import type { InstanceOrder } from '../base/instance-port.ts';
import type { Backend } from '../base/port.ts';
import { newOrder, REQUIREMENTS } from '../base/testing/orders.ts';
import { passingPace } from '../base/testing/passing-pace.ts';
import { factsInMemory, KEY } from '../base/testing/vm-world.ts';
import { descriptionOf, tagsIn } from './descriptions.ts';
import { vmInstance } from './offers.ts';
import { type HotAisleAt, hotAisleAt } from './testing.ts';

let cloud: Cloud;
let clock: ManualClock;
let facts: ReturnType<typeof factsInMemory>;
let backend: Backend;
beforeEach(async () => {
  clock = manualClock();
  cloud = await startCloud({ personality: 'hotaisle', clock });
  facts = factsInMemory();
  backend = server();
});
afterEach(() => cloud.close());

/** One more server, or the same one after a crash. */
const server = (change: Partial<HotAisleAt> = {}) =>
  hotAisleAt({ cloud, url: `${cloud.url}/api`, pace: passingPace(clock), facts, ...change });

async function order(requirements = REQUIREMENTS.met): Promise<InstanceOrder> {
  const { offers } = await backend.offers(requirements);
  return { ...newOrder(offers[0] ?? null), authorizedKeys: [KEY] };
}

const create = (given: InstanceOrder, of = backend) => of.instances?.create(given);
const failure = async (given: InstanceOrder, of = backend) =>
  await create(given, of)?.catch((error: unknown) => error);

/** A machine of another member of the team. */
const byHand = async () => {
  const headers = {
    authorization: `Token ${cloud.apiKey}`,
    'content-type': 'application/json',
  };
  const path = `${cloud.url}/api/teams/ada/virtual_machines/`;
  const [first] = (await (await fetch(`${path}available/`, { headers })).json()) as [
    { readonly Specs: object },
  ];
  await fetch(path, { method: 'POST', headers, body: JSON.stringify(first.Specs) });
};

describe('offers of Hot Aisle', () => {
  it('have the names of dstack 0.22.5, prices in dollars, and what is left', async () => {
    const type = cloud.account.catalog.types[1];
    cloud.sellOut(type?.name ?? '', 'us-michigan-1');
    const { offers } = await backend.offers(REQUIREMENTS.met);
    expect(
      offers.map(({ instance, price, availability }) => [instance.name, price, availability]),
    ).toEqual([
      ['vm-mi300x-1', 1.99, 'available'],
      ['vm-mi300x-2', 3.98, 'not_available'],
      ['vm-mi300x-4', 7.96, 'available'],
    ]);
    expect(offers[1]?.instance.resources).toMatchObject({
      ...{ cpus: 26, memory_mib: 448 * 1024, cpu_arch: 'x86', disk: { size_mib: 12_288 * 1024 } },
      gpus: Array(2).fill({ vendor: 'amd', name: 'MI300X', memory_mib: 192 * 1024 }),
    });
    const amd = Requirements.parse({ resources: { gpu: 'MI300X:4' } });
    expect((await backend.offers(amd)).offers).toHaveLength(1);
  });

  it('are not available to a team that may have no more machines', async () => {
    cloud.faults.set({ quota: 0 });
    const { offers } = await backend.offers(REQUIREMENTS.met);
    expect(new Set(offers.map(({ availability }) => availability))).toEqual(new Set(['no_quota']));
  });

  it('have no machines with GPUs that are not known', () => {
    const specs = { cpu_cores: 8, ram_capacity: 2 ** 36, disk_capacity: 2 ** 40 };
    expect(vmInstance({ ...specs, gpus: [{ count: 1, model: 'MI999X' }] })).toBeNull();
    expect(vmInstance(specs)).toBeNull();
  });

  it('say that bare-metal machines are not among them, where the configuration asks for those', async () => {
    const { notes } = await server({ bareMetal: true }).offers(REQUIREMENTS.met);
    expect(notes.join()).toContain('bare_metal of the configuration has no effect');
    expect((await backend.offers(REQUIREMENTS.met)).notes.join()).not.toContain('bare_metal');
  });
});

describe('a machine of Hot Aisle', () => {
  it('has its tags in its description, which a person can read', async () => {
    const given = await order();
    await create({ ...given, tags: { team: 'ml & ops' } });
    const [vm] = cloud.account.vms.all();
    const description = vm?.tags[0]?.value ?? '';
    expect(description).toMatch(/^dstack-server=\S+ dstack-project=main dstack-fleet=pool /);
    expect(tagsIn(description)).toMatchObject({ team: 'ml & ops', 'dstack-key': given.key });
    expect(tagsIn('cost=high, ask Ada')).toEqual({});
    expect(descriptionOf({ long: 'x'.repeat(2000), 'dstack-key': 'a' })).toBe('dstack-key=a');
  });

  it('lets in the key of the project, and shows a host key of its own', async () => {
    const made = await create(await order());
    clock.advance(600);
    const handle = made?.handle ?? { id: '', data: null };
    expect(await backend.instances?.observe(handle, { facts: null })).toMatchObject({
      state: 'ready',
      access: { kind: 'ssh', user: 'hotaisle', port: 22, hostKey: null },
      machine: { provisioningData: { price: 1.99, region: 'us-michigan-1' } },
    });
    expect(cloud.account.keys.all().map(({ publicKey }) => publicKey)).toEqual([
      KEY.split(' ').slice(0, 2).join(' '),
    ]);
  });

  it('that is off before it was ever on is still starting; one that was on has failed', async () => {
    cloud.faults.set({ boot_seconds: [60, 60] });
    const made = await create(await order());
    const handle = made?.handle ?? { id: '', data: null };
    const observed = () => backend.instances?.observe(handle, { facts: null });
    expect(await observed()).toEqual({ state: 'pending', text: 'shut off, not started yet' });
    clock.advance(100);
    expect(await observed()).toMatchObject({ state: 'ready' });
    await cloud.interrupt(handle.id);
    clock.advance(10);
    expect(await observed()).toMatchObject({ state: 'interrupted', text: 'Hot Aisle: shut off' });
  });

  it('ends before the shortest time for which it is charged', async () => {
    const made = await create(await order());
    await backend.instances?.release(made?.handle ?? { id: '', data: null });
    expect(cloud.vms()).toBe(0);
  });
});

/** How many calls of a creation come before the first of this method, once the account has the key of the project. */
async function callsBefore(method: string): Promise<number> {
  let calls: readonly string[] = [];
  for (const _ of ['the first adds the key', 'this one counts']) {
    const given = await order();
    const before = cloud.log.length;
    const made = await create(given);
    calls = cloud.log.slice(before).map((call) => call.method);
    await backend.instances?.release(made?.handle ?? { id: '', data: null });
  }
  return calls.indexOf(method);
}

/** From this call of the next creation on, which is carried out if it is `lost`, nothing reaches the server. */
async function crashed(method: string, how: 'lost' | 'never arrived'): Promise<InstanceOrder> {
  const calls = await callsBefore(method);
  const given = await order();
  const answered = Array<'answered'>(calls).fill('answered');
  cloud.calls.script(...answered, how, ...Array<'never arrived'>(99).fill('never arrived'));
  expect(await failure(given)).toBeInstanceOf(NoAnswerError);
  cloud.calls.heal();
  return { ...given, mayExist: true };
}

describe('a machine whose order had no answer', () => {
  it.each([
    ['POST', 'lost'],
    ['PATCH', 'never arrived'],
    ['PATCH', 'lost'],
  ] as const)('is found after a crash of the server (%s, %s)', async (method, how) => {
    const given = await crashed(method, how);
    expect(cloud.vms()).toBe(1);
    const again = server();
    const made = await create(given, again);
    expect(await again.instances?.list({ server: given.owner.server })).toEqual([
      { handle: made?.handle, owner: given.owner, key: given.key },
    ]);
    expect(cloud.vms()).toBe(1);
  });

  it('is not guessed where a person has made one at the same moment', async () => {
    const given = await crashed('POST', 'lost');
    await byHand();
    const before = cloud.account.vms.all().map(({ id }) => id);
    const made = await create(given, server());
    expect(before).not.toContain(made?.handle.id);
    const described = cloud.account.vms.all().filter(({ tags }) => tags.length > 0);
    expect(described.map(({ id }) => id)).toEqual([made?.handle.id]);
  });
});

describe('an order that was never carried out', () => {
  it('is given up once no machine of it can appear, so that one that a person makes later stays hers', async () => {
    const given = await crashed('POST', 'never arrived');
    const again = server();
    const listed = () => again.instances?.list({ server: given.owner.server });
    clock.advance(600);
    expect(await listed()).toEqual([]);
    await byHand();
    expect(await listed()).toEqual([]);
    expect(cloud.account.vms.all().map(({ tags }) => tags)).toEqual([[]]);
  });
});

describe('orders of a team', () => {
  it('wait for that of another server, as long as it may still be carried out', async () => {
    await crashed('POST', 'never arrived');
    const given = await order();
    expect(await failure(given, server())).toBeInstanceOf(BusyError);
    clock.advance(200);
    await create(given, server());
    expect(cloud.vms()).toBe(1);
  });

  it('are made one after another', async () => {
    const given = [await order(), await order(), await order()];
    await Promise.all(given.map((one) => create(one)));
    expect(cloud.vms()).toBe(3);
    const listed = await backend.instances?.list({ server: given[0]?.owner.server ?? '' });
    expect(listed?.map(({ key }) => key).sort()).toEqual(given.map(({ key }) => key).sort());
  });

  it('are refused with the words of the provider, by which their cause is known', async () => {
    const given = await order();
    cloud.faults.set({ no_capacity: 1 });
    const sold = await failure(given);
    expect(sold).toBeInstanceOf(NoCapacityError);
    expect(sold).not.toBeInstanceOf(QuotaError);
    cloud.faults.set({ quota: 0 });
    const full = await failure(given);
    expect(full).toBeInstanceOf(QuotaError);
    expect(String(full)).toContain('Maximum VMs already provisioned for this team');
    cloud.faults.set({ refuse: 'balance' });
    expect(String(await failure(given))).toContain('Insufficient balance');
    cloud.faults.set({ error: 1 });
    expect(await failure(given)).toBeInstanceOf(NoAnswerError);
    expect(cloud.vms()).toBe(0);
  });
});

describe('the check', () => {
  it('names a team that the key is not of, and a key that is refused', async () => {
    const checks = await server({ team: 'other' }).check();
    expect(checks.filter(({ ok }) => !ok)).toMatchObject([
      {
        name: 'hotaisle: role operator in team other',
        problem: 'the user of the API key is in no team other (team_handle)',
      },
    ]);
    const refused = server({ cloud: { apiKey: 'wrong' } });
    expect(await refused.check()).toMatchObject([{ ok: false, refused: true }]);
    await expect(refused.offers(REQUIREMENTS.met)).rejects.toThrow(CredentialsError);
    expect(await failure(await order(), server({ team: 'other' }))).toBeInstanceOf(BackendError);
  });
});
