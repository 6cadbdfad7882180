import { NO_FAULTS, type SimFaults } from '@dstack/contract';
import { beforeEach, describe, expect, it } from 'vitest';
import { newOrder } from '../base/testing/orders.ts';
import { SimCalls } from './calls.ts';
import { NAMED_DISKS } from './disks.ts';
import { SIM_OFFERS } from './offers.ts';
import { memoryTables, type SimTables } from './tables.ts';
import { SimVolumes } from './volumes.ts';

const SECOND = 1_000_000;
const ORDER = {
  ...{ key: 'volume.create:v:0', volumeId: 'v', name: 'data', region: 'us-east-1', tags: {} },
  ...{
    owner: { server: 's', project: 'main', fleet: '', instance: 'data' },
    availabilityZone: null,
    sizeGib: 10,
  },
  directory: null,
};
const [OFFER] = SIM_OFFERS.filter(({ region }) => region === 'us-east-1');
const [ELSEWHERE] = SIM_OFFERS.filter(({ region }) => region !== 'us-east-1');

let now: number;
let faults: SimFaults;
let tables: SimTables;
let volumes: SimVolumes;
let isUsed: boolean;

beforeEach(() => {
  now = 1_700_000_000 * SECOND;
  faults = { ...NO_FAULTS };
  tables = memoryTables();
  const clock = {
    get now() {
      return now;
    },
    delay: async () => {},
  };
  const random = {
    whole: (from: number) => from,
    chance: (probability: number) => probability === 1,
  };
  isUsed = false;
  const disks = {
    ...NAMED_DISKS,
    detach: async (_: string, { force = false }) => force || !isUsed,
  };
  const parts = { clock, random, faults: () => faults };
  volumes = new SimVolumes({ ...parts, tables, calls: new SimCalls(parts), disks });
});

function machine(id: string, offer = OFFER) {
  if (!offer) throw new Error('there is no offer');
  const order = newOrder(offer, 's');
  const purpose = 'instance';
  tables.machines.add({ id, purpose, order, offer, createdAt: now, readyAt: now, failure: null });
  return { id, data: null };
}

describe('a simulated volume', () => {
  it('is missing from answers for a while, then created, then ready', async () => {
    faults = { ...faults, eventualSeconds: 2, bootSeconds: [5, 5] };
    const handle = await volumes.create(ORDER);
    expect(await volumes.observe(handle)).toEqual({ state: 'missing' });
    now += 2 * SECOND;
    expect(await volumes.observe(handle)).toEqual({ state: 'pending', text: 'creating' });
    now += 3 * SECOND;
    expect(await volumes.observe(handle)).toMatchObject({ state: 'ready', sizeGib: 10 });
  });

  it('may fail, or never become ready', async () => {
    faults = { ...faults, failsToBoot: 1 };
    expect((await volumes.observe(await volumes.create(ORDER))).state).toBe('failed');
    faults = { ...faults, failsToBoot: 0, neverReady: 1 };
    const stuck = await volumes.create({ ...ORDER, key: 'volume.create:v:1' });
    now += 1e6 * SECOND;
    expect((await volumes.observe(stuck)).state).toBe('pending');
  });

  it('is attached and detached after a while', async () => {
    faults = { ...faults, attachSeconds: [10, 10] };
    const handle = await volumes.create(ORDER);
    const to = machine('m');
    expect(await volumes.attach(handle, to)).toMatchObject({ state: 'pending' });
    now += 10 * SECOND;
    expect(await volumes.attach(handle, to)).toMatchObject({ state: 'attached' });
    await expect(volumes.delete(handle)).rejects.toThrow('is attached to m');
    expect(await volumes.detach(handle, to, { force: false })).toMatchObject({ state: 'pending' });
    now += 10 * SECOND;
    expect(await volumes.detach(handle, to, { force: false })).toEqual({ state: 'detached' });
    expect(await volumes.delete(handle)).toBe('deleted');
  });

  it('may be stuck at a machine, and can then only be detached by force', async () => {
    faults = { ...faults, stuckDetach: 1 };
    const handle = await volumes.create(ORDER);
    const to = machine('m');
    await volumes.attach(handle, to);
    expect((await volumes.detach(handle, to, { force: false })).state).toBe('pending');
    expect((await volumes.detach(handle, to, { force: true })).state).toBe('detached');
  });

  it('is refused to a second machine, and to one in another region', async () => {
    const handle = await volumes.create(ORDER);
    await expect(volumes.attach(handle, machine('far', ELSEWHERE))).rejects.toThrow('us-east-1');
    await volumes.attach(handle, machine('m'));
    await expect(volumes.attach(handle, machine('other'))).rejects.toThrow('is attached to m');
  });

  it('is not detached from a machine that uses its device, except by force', async () => {
    const handle = await volumes.create(ORDER);
    const to = machine('m');
    await volumes.attach(handle, to);
    isUsed = true;
    expect((await volumes.detach(handle, to, { force: false })).state).toBe('pending');
    expect((await volumes.detach(handle, to, { force: true })).state).toBe('detached');
  });
});
