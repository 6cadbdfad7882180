import { Requirements } from '@dstack/contract/wire';
import { type Cloud, type ManualClock, manualClock, startCloud } from '@dstack/testkit/cloud';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { NoAnswerError, PreparingError, SkipOfferError } from '../base/errors.ts';
import type { Backend } from '../base/port.ts';
import { OTHER_SERVER, OUR_SERVER } from '../base/testing/backend-world.ts';
import { newOrder, withContainer } from '../base/testing/orders.ts';
import { passingPace } from '../base/testing/passing-pace.ts';
import { releaseFully } from '../base/testing/release-fully.ts';
import type { VolumeOrder, VolumePort } from '../base/volume-port.ts';
import { runpodAt } from './testing.ts';

const REQUIREMENTS = Requirements.parse({
  resources: { cpu: '2..', memory: '1GB..', disk: '1GB..' },
});
const REGION = 'EU-RO-1';

let cloud: Cloud;
let clock: ManualClock;
let backend: Backend;
let volumes: VolumePort;
beforeEach(async () => {
  clock = manualClock();
  cloud = await startCloud({ personality: 'runpod', clock });
  backend = runpodAt({ cloud, pace: passingPace(clock) });
  if (backend.volumes === null) throw new Error('there are no volumes');
  volumes = backend.volumes;
});
afterEach(() => cloud.close());

const order = (change: Partial<VolumeOrder> = {}): VolumeOrder => ({
  ...{ key: 'volume.create:1:0', volumeId: '1', name: 'data', region: REGION, sizeGib: 20 },
  ...{ availabilityZone: null, tags: {}, directory: null },
  owner: { server: OUR_SERVER, project: 'main', fleet: '', instance: 'data' },
  ...change,
});
const theirs = { server: OTHER_SERVER, project: 'main', fleet: '', instance: 'data' };

it('volumes are made once for one key, in a data centre in capitals, and listed for their owner', async () => {
  const handle = await volumes.create(order({ region: 'eu-ro-1' }));
  expect(await volumes.create(order())).toEqual(handle);
  await volumes.create(order({ owner: theirs, key: 'volume.create:2:0' }));
  expect(handle.region).toBe(REGION);
  expect(cloud.account.volumes.all()).toHaveLength(2);
  expect(await volumes.observe(handle)).toMatchObject({ state: 'ready', sizeGib: 20, price: 1.4 });
  const listed = await volumes.list({ server: OUR_SERVER });
  expect(listed.map((one) => one.handle)).toEqual([handle]);
});

it('a volume whose order had no answer is looked for before it is ordered again', async () => {
  await volumes.list({ server: OUR_SERVER });
  cloud.faults.set({ eventual_seconds: 20 });
  cloud.calls.fail(1, 'lost');
  await expect(volumes.create(order())).rejects.toThrow(NoAnswerError);
  cloud.calls.heal();
  await expect(volumes.create(order())).rejects.toThrow(PreparingError);
  clock.advance(25);
  const handle = await volumes.create(order());
  expect(cloud.account.volumes.all().map(({ id }) => id)).toEqual([handle.id]);
});

it('a volume that was ordered before a restart is looked for before it is ordered again', async () => {
  cloud.faults.set({ eventual_seconds: 20 });
  await volumes.create(order());
  const restarted = runpodAt({ cloud, pace: passingPace(clock) }).volumes;
  const again = async () => await restarted?.create(order({ mayExist: true }));
  await expect(again()).rejects.toThrow(PreparingError);
  clock.advance(25);
  const handle = await again();
  expect(cloud.account.volumes.all().map(({ id }) => id)).toEqual([handle?.id]);
});

it('an order that was lost before a restart is made again', async () => {
  const again = async () => await volumes.create(order({ mayExist: true }));
  await expect(again()).rejects.toThrow(PreparingError);
  clock.advance(31);
  await again();
  expect(cloud.account.volumes.all()).toHaveLength(1);
});

it('an order that was lost on its way is made again', async () => {
  cloud.calls.fail(1, 'never arrived');
  await expect(volumes.create(order())).rejects.toThrow(NoAnswerError);
  cloud.calls.heal();
  clock.advance(60);
  await volumes.create(order());
  expect(cloud.account.volumes.all()).toHaveLength(1);
});

it('volumes of users are registered in their own data centre only', async () => {
  const made = cloud.account.volumes.create({ name: 'own', region: REGION, sizeGib: 50, tags: [] });
  const handle = await volumes.register(made.id, { region: REGION });
  expect(handle).toEqual({ id: made.id, region: REGION, data: null });
  await expect(volumes.register(made.id, { region: 'US-KS-2' })).rejects.toThrow(
    `no network volume ${made.id} in US-KS-2 (it is in EU-RO-1)`,
  );
  await expect(volumes.register('none', { region: REGION })).rejects.toThrow(
    'no network volume none',
  );
  expect(await volumes.list({ server: OUR_SERVER })).toEqual([]);
});

it('sizes that RunPod does not have are refused with the range', async () => {
  for (const sizeGib of [9, 4097, null]) {
    await expect(volumes.create(order({ sizeGib }))).rejects.toThrow('10 to 4096 GB');
  }
  expect(cloud.account.volumes.all()).toEqual([]);
});

it('a pod mounts its volume at the path of the job, and it is deleted after the pod', async () => {
  const handle = await volumes.create(order());
  const { offers } = await backend.offers(REQUIREMENTS);
  const given = withContainer(newOrder(offers.find(({ region }) => region === REGION) ?? null));
  const mounts = [
    { path: '/host', instancePath: '/data', readOnly: false },
    { path: '/volume', instancePath: null, readOnly: false },
  ];
  const container = given.container && { ...given.container, mounts };
  const mounting = { ...given, container, volumes: [handle] };
  const created = await backend.instances?.create(mounting);
  if (!created) throw new Error('it was not created');
  const [pod] = cloud.account.vms.all();
  expect(pod?.container?.volumes).toEqual([{ id: handle.id, path: '/volume' }]);
  expect(await volumes.attach(handle, created.handle)).toEqual({ state: 'attached', device: null });
  expect(await volumes.delete(handle)).toBe('deleting');
  const settle = async () => clock.advance(60);
  await releaseFully({ backend, settle }, created.handle);
  for (const _ of [1, 2]) expect(await volumes.delete(handle)).toBe('deleted');
  expect(await volumes.observe(handle)).toEqual({ state: 'missing' });
  const two = { ...mounting, key: 'other', volumes: [handle, { ...handle, id: 'other' }] };
  await expect(backend.instances?.create(two)).rejects.toThrow(SkipOfferError);
});
