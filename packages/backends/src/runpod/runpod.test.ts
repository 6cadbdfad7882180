import { Requirements } from '@dstack/contract/wire';
import type { Offer } from '@dstack/core';
import {
  type Cloud,
  type ManualClock,
  manualClock,
  registriesOf,
  startCloud,
} from '@dstack/testkit/cloud';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { agentToken } from '../base/agent-token.ts';
import { noWay } from '../base/container-cloud/dial-way.ts';
import { CONTAINER_LAUNCHER } from '../base/container-cloud/launcher.ts';
import {
  BackendError,
  CredentialsError,
  NoCapacityError,
  PreparingError,
  QuotaError,
  RefusedOrderError,
} from '../base/errors.ts';
import type { InstanceOrder } from '../base/instance-port.ts';
import type { Backend } from '../base/port.ts';
import { vmName } from '../base/rest-vm/names.ts';
import type { CallPace } from '../base/rest-vm/pace.ts';
import { newOrder, withContainer } from '../base/testing/orders.ts';
import { passingPace } from '../base/testing/passing-pace.ts';
import { releaseFully } from '../base/testing/release-fully.ts';
import type { CatalogItem } from '../catalog/catalog.ts';
import type { CpuType, GpuType, RunpodApi } from './api.ts';
import { gpuModel, runpodOffers } from './offers.ts';
import { Runpod } from './runpod.ts';
import { DOWNLOAD, runpodAt } from './testing.ts';

const H100 = Requirements.parse({ resources: { gpu: 'H100', memory: '1GB..', disk: '50GB..' } });
const ONE_H100 = Requirements.parse({ resources: { gpu: 'H100:1' } });
const CPU = Requirements.parse({ resources: { cpu: '2..', memory: '1GB..', disk: '10GB..' } });
const STARTED_S = 60;

let cloud: Cloud;
let clock: ManualClock;
let backend: Backend;
let pace: CallPace;
beforeEach(async () => {
  clock = manualClock();
  cloud = await startCloud({ personality: 'runpod', clock });
  pace = passingPace(clock);
  backend = runpodAt({ cloud, pace });
});
afterEach(() => cloud.close());

const offers = async (requirements = H100, of = backend) => (await of.offers(requirements)).offers;

async function order(
  change: Partial<InstanceOrder['container']> = {},
  requirements = H100,
): Promise<InstanceOrder> {
  const [offer = null] = await offers(requirements);
  const given = withContainer(newOrder(offer));
  const { container } = given;
  if (!container) throw new Error('there is no container');
  return { ...given, container: { ...container, ...change } };
}

const create = async (given: InstanceOrder) => await backend.instances?.create(given);
const failure = async (given: InstanceOrder) => await create(given).catch((error) => error);
const sent = () =>
  cloud.log.findLast(({ method, path }) => method === 'POST' && path === '/v2/pods');

const item = (change: Partial<CatalogItem>): CatalogItem => ({
  ...{
    instanceName: 'NVIDIA H100 80GB HBM3',
    location: 'US-KS-2',
    price: 1,
    cpus: 26,
    memoryGb: 125,
  },
  ...{
    gpuCount: 1,
    gpuName: 'H100',
    gpuMemoryGb: 80,
    gpuVendor: 'nvidia',
    spot: false,
    diskGb: null,
  },
  ...{ provider: 'runpod', cpuArch: 'x86', flags: [], providerData: {} },
  ...change,
});

describe('offers of RunPod', () => {
  const shown = (all: readonly Offer[]) =>
    all.map(({ instance, region, price, availability }) =>
      [instance.resources.gpus.length, region, price, availability].join(' '),
    );

  it('have its own prices for each number of GPUs, where it has room now', async () => {
    cloud.sellOut('1x NVIDIA H100 80GB HBM3', 'EU-RO-1');
    cloud.sellOut('4x NVIDIA H100 80GB HBM3', 'EU-RO-1');
    const found = shown(await offers(Requirements.parse({ resources: { gpu: 'H100:1..3' } })));
    expect(found.filter((one) => one.includes('US-KS-2'))).toEqual([
      ...['1 US-KS-2 2.99 available', '2 US-KS-2 5.98 available', '3 US-KS-2 8.97 available'],
    ]);
    // With room for two, and none for four, three are unknown.
    expect(found.filter((one) => one.includes('EU-RO-1'))).toEqual([
      ...['2 EU-RO-1 5.98 available', '3 EU-RO-1 8.97 unknown'],
    ]);
  });

  it('have the sizes of hosts from the catalogue, or as much memory as their GPUs', async () => {
    const [first] = await offers();
    expect(first?.instance.resources).toMatchObject({ cpus: 4, memory_mib: 80 * 1024 });
    const [listed] = await offers(H100, runpodAt({ cloud, pace, listed: [item({})] }));
    expect(listed?.instance).toEqual({
      name: 'NVIDIA H100 80GB HBM3',
      resources: {
        ...{ cpus: 26, memory_mib: 125 * 1024, spot: false, description: '', cpu_arch: 'x86' },
        gpus: [{ vendor: 'nvidia', name: 'H100', memory_mib: 80 * 1024 }],
        disk: { size_mib: 50 * 1024 },
      },
    });
  });

  it('of types that are sold out everywhere are shown where a catalogue lists them', async () => {
    for (const region of ['US-KS-2', 'EU-RO-1', 'CA-MTL-1']) {
      cloud.sellOut('1x NVIDIA H100 80GB HBM3', region);
    }
    const listed = [item({ location: 'AP-JP-1' })];
    const found = await offers(ONE_H100, runpodAt({ cloud, pace, listed }));
    expect(shown(found)).toEqual(['1 AP-JP-1 2.99 not_available']);
  });

  it('without GPUs have a disk that grows with their processors', async () => {
    const found = await offers(CPU, runpodAt({ cloud, pace, regions: ['eu-ro-1'] }));
    expect(found[0]).toMatchObject({ region: 'EU-RO-1', price: 0.06 });
    expect(found[0]?.instance).toMatchObject({
      name: 'cpu3c-2-4',
      resources: { memory_mib: 4096 },
    });
    const big = Requirements.parse({ resources: { cpu: '2..', memory: '1GB..', disk: '40GB..' } });
    const sizes = (await offers(big)).map(({ instance }) => instance.resources.cpus);
    expect(Math.min(...sizes.filter((cpus) => cpus > 0))).toBe(4);
  });

  it('have the names of GPUs that requirements use', () => {
    const of = (id: string, manufacturer = 'NVIDIA') =>
      gpuModel({ manufacturer, name: id, memory: 1 })?.name;
    const names = [
      'H100 SXM',
      'H100 NVL',
      'H200 SXM',
      'A100 PCIe',
      'L40S',
      'L4',
      'B200',
      'Tesla V100',
    ];
    expect(names.map((name) => of(name))).toEqual([
      ...['H100', 'H100NVL', 'H200', 'A100', 'L40S', 'L4', 'B200', 'V100'],
    ]);
    expect(
      ['RTX 4090', 'RTX A6000', 'RTX 6000 Ada', 'GeForce RTX 5090'].map((one) => of(one)),
    ).toEqual([...['RTX4090', 'A6000', 'RTX6000Ada', 'RTX5090']]);
    expect(of('MI300X', 'AMD')).toBe('MI300X');
    expect([of('B300 MIG 1g'), of('unknown', 'UNKNOWN'), of('RTX 9999')]).toEqual([
      ...[undefined, undefined, undefined],
    ]);
  });

  it('are none for jobs on several nodes, with the reason', async () => {
    const requirements = { ...H100, multinode: true };
    const { offers: found, notes } = await backend.offers(requirements);
    expect(found).toEqual([]);
    expect(notes).toEqual([
      'clusters of RunPod cannot be used yet, so it runs jobs on one node only',
    ]);
  });

  it('are not available to a server that pods do not reach, and say so', async () => {
    const problem = 'RunPod needs a URL of this server: set DSTACK_SERVER_URL';
    const unreached = runpodAt({ cloud, pace, way: noWay(problem) });
    const { offers: found, notes } = await unreached.offers(H100);
    expect(new Set(found.map(({ availability }) => availability))).toEqual(
      new Set(['not_available']),
    );
    expect(notes).toContain(problem);
    const given = await order();
    await expect(unreached.instances?.create(given)).rejects.toThrow(problem);
    expect(cloud.vms()).toBe(0);
  });
});

describe('offers of RunPod from a strange catalogue', () => {
  const cpu = (securePerVcpu: number | null): CpuType => ({
    ...{ id: 'cpu', vcpu: { min: 2, max: 4 }, ramGbPerVcpu: 2, price: { securePerVcpu } },
    dataCenters: [{ id: 'EU-RO-1', availability: 'HIGH' }],
  });
  const gpu = (secure: number | null, most = 2): GpuType => ({
    ...{ id: 'NVIDIA H100 80GB HBM3', name: 'H100 SXM', manufacturer: 'NVIDIA', memory: 80 },
    ...{ secure: true, price: { secure }, maxCount: { secure: most } },
    dataCenters: [{ id: 'EU-RO-1', availability: 'HIGH' }],
  });
  const all = (cpus: readonly CpuType[], gpus: readonly GpuType[]) =>
    runpodOffers({ cpus, gpus: new Map([[1, gpus]]), regions: null, listed: [] });

  it('are none without a price, since they would look free', () => {
    for (const price of [0, -1, null]) expect(all([cpu(price)], [gpu(price)])).toEqual([]);
    const { price: _, ...unpriced } = cpu(1);
    const { price: __, ...unsold } = gpu(1);
    expect(all([unpriced, cpu(1)], [unsold])).toHaveLength(2);
  });

  it('are so many at most as a host can have', () => {
    expect(all([], [gpu(1, 1e9)])).toHaveLength(64);
    expect(all([{ ...cpu(1), vcpu: { min: 2, max: 1e300 } }], [])).toHaveLength(10);
  });

  it('are what a pod has at most, whatever number of GPUs it reports', async () => {
    const pod = { id: 'pod', name: '', status: 'RUNNING', image: '', disk: 1, cost: 1 };
    const gpu = { id: 'NVIDIA H100 80GB HBM3', count: 1e9, vcpuCount: 1, memory: 1 };
    const api = { pods: async () => [{ ...pod, gpu }] } as unknown as RunpodApi;
    const one = new Runpod({ api, apiKey: 'key', regions: null, listed: () => [], pace });
    const [vm] = await one.list();
    expect(vm?.instance.resources.gpus).toHaveLength(64);
  });
});

describe('a pod at RunPod', () => {
  it('runs the launcher in the image of the job, and its environment holds no secret of the job', async () => {
    const given = await order({ image: 'ubuntu:24.04' });
    await create(given);
    const name = vmName(given.key);
    expect(sent()?.body).toEqual({
      ...{
        name,
        cloud: 'SECURE',
        dataCenterIds: [given.offer?.region],
        image: 'ubuntu:24.04',
        disk: 50,
      },
      entrypoint: ['/bin/sh'],
      cmd: [
        '-c',
        CONTAINER_LAUNCHER,
        'sh',
        `wss://dstack.example/api/agents/dial/${name}`,
        given.owner.server,
      ],
      env: {
        DSTACK_AGENT_URL: `https://dstack.example${DOWNLOAD.path}`,
        DSTACK_AGENT_SHA256: DOWNLOAD.sha256,
        DSTACK_AGENT_TOKEN: agentToken('secret', name),
        DSTACK_TAGS: JSON.stringify({
          'dstack-server': given.owner.server,
          'dstack-project': 'main',
          'dstack-fleet': 'pool',
          'dstack-instance': given.owner.instance,
          'dstack-key': given.key,
          'dstack-region': given.offer?.region,
        }),
        RUNPOD_POD_USER: '0',
      },
      gpu: {
        ...{ id: 'NVIDIA H100 80GB HBM3', count: 1, minCudaVersion: '12.8' },
        ...{ minVcpuCountPerGpu: 4, minRamPerGpu: 80 },
      },
    });
  });

  it('that is not placed yet is shown in the data centre of its order', async () => {
    cloud.faults.set({ boot_seconds: [30, 30] });
    const given = await order();
    await create(given);
    clock.advance(3);
    const again = await create({ ...given, mayExist: true });
    expect(again?.provisioningData).toMatchObject({
      ...{ region: given.offer?.region, price: 2.99, entry_only: true },
    });
    expect(cloud.vms()).toBe(1);
  });

  it('without GPUs is ordered by flavour and number of processors', async () => {
    await create(await order({}, CPU));
    expect(sent()?.body).toMatchObject({ cpu: { id: 'cpu3c', vcpuCount: 2 }, disk: 10 });
  });

  it('is reached by the connection of its agent only', async () => {
    const given = await order();
    const created = await create(given);
    if (!created) throw new Error('it was not created');
    expect(created.handle.data).toBe(vmName(given.key));
    clock.advance(STARTED_S);
    expect(await backend.instances?.observe(created.handle, { facts: null })).toMatchObject({
      state: 'ready',
      machine: { provisioningData: { price: 2.99, dockerized: false, entry_only: true } },
      access: { kind: 'backend', token: agentToken('secret', vmName(given.key)) },
    });
  });

  it('is observed anew as soon as its agent has connected', async () => {
    const watchers = new Set<(instance: string) => void>();
    const dialIns = {
      take: async () => null,
      watch: (onWaiting: (instance: string) => void) => {
        watchers.add(onWaiting);
        return () => void watchers.delete(onWaiting);
      },
    };
    cloud.faults.set({ boot_seconds: [1, 1] });
    const watched = runpodAt({ cloud, pace, dialIns });
    const changed: string[] = [];
    // Its end is not reported, so it is observed on a schedule too.
    expect(watched.instances?.watchesPartly).toBe(true);
    const end = watched.instances?.watch?.((id) => changed.push(id));
    const [first, second] = [await order(), await order()];
    const created = await watched.instances?.create(first);
    await watched.instances?.create(second);
    if (!created) throw new Error('it was not created');
    const observe = () => watched.instances?.observe(created.handle, { facts: null });
    expect(await observe()).toMatchObject({ state: 'pending' });
    clock.advance(1);
    // The last list is young enough to be the answer still.
    expect(await observe()).toMatchObject({ state: 'pending' });
    for (const onWaiting of watchers) onWaiting(vmName(first.key));
    expect(changed).toEqual([created.handle.id]);
    expect(await observe()).toMatchObject({ state: 'ready' });
    // After a restart all agents connect anew, which must not cost a call for each.
    const calls = cloud.log.length;
    for (const onWaiting of watchers) onWaiting(vmName(first.key));
    expect(await observe()).toMatchObject({ state: 'ready' });
    expect(cloud.log).toHaveLength(calls);
    for (const onWaiting of watchers) onWaiting('dstack-unknown');
    expect(changed).toHaveLength(2);
    end?.();
    expect(watchers.size).toBe(0);
  });

  it('that was renamed by a person keeps the token of its agent', async () => {
    const given = await order();
    const created = await create(given);
    const [vm] = cloud.account.vms.all();
    expect(vm?.name).toBe(vmName(given.key));
    if (!created) throw new Error('it was not created');
    clock.advance(STARTED_S);
    expect(await backend.instances?.observe(created.handle, { facts: null })).toMatchObject({
      access: { token: agentToken('secret', created.handle.data ?? '') },
    });
  });

  it('that has ended is reported with the last message of the launcher', async () => {
    const created = await create(await order());
    if (!created) throw new Error('it was not created');
    const words = 'pulling…\ndstack: the image has no tail\nexited';
    await cloud.interrupt(created.handle.id, { text: words });
    clock.advance(STARTED_S);
    expect(await backend.instances?.observe(created.handle, { facts: null })).toEqual({
      ...{ state: 'interrupted', reason: 'failed', text: 'RunPod: EXITED: the image has no tail' },
    });
    // Its words are asked for once.
    clock.advance(STARTED_S);
    await backend.instances?.observe(created.handle, { facts: null });
    expect(cloud.log.filter(({ path }) => path.includes('/logs'))).toHaveLength(1);
  });

  it('has stored credentials for its image, which end with the last pod that uses them', async () => {
    const registryAuth = { username: 'ada', password: 'pass word"' };
    const image = 'registry.example/private:1';
    const [first, second] = [
      await create(await order({ registryAuth, image })),
      await create(await order({ registryAuth, image })),
    ];
    const kept = () => [...registriesOf(cloud.account).values()];
    expect(kept()).toMatchObject([registryAuth]);
    expect(JSON.stringify([kept()[0]?.name, sent()?.body])).not.toContain('pass word');
    expect(sent()?.body).toMatchObject({ registry: kept()[0]?.id });
    clock.advance(STARTED_S);
    for (const [one, left] of [
      [first, 1],
      [second, 0],
    ] as const) {
      if (!one) throw new Error('it was not created');
      await releaseFully({ backend, settle: async () => clock.advance(STARTED_S) }, one.handle);
      expect(kept()).toHaveLength(left);
    }
  });

  it('is ordered beside others whose credentials are stored at the same moment', async () => {
    const registryAuth = { username: 'ada', password: 'pass' };
    const image = 'registry.example/private:1';
    const orders = [];
    for (let number = 0; number < 3; number++) orders.push(await order({ registryAuth, image }));
    await Promise.all(orders.map(create));
    expect(cloud.vms()).toBe(3);
    expect(registriesOf(cloud.account).size).toBe(1);
  });

  it('is ordered again when its credentials were deleted in between', async () => {
    const registryAuth = { username: 'ada', password: 'pass' };
    const image = 'registry.example/private:1';
    await create(await order({ registryAuth, image }));
    const kept = registriesOf(cloud.account);
    kept.clear();
    const given = await order({ registryAuth, image });
    expect(await failure(given)).toBeInstanceOf(PreparingError);
    await create(given);
    expect(cloud.vms()).toBe(2);
    expect(kept.size).toBe(1);
  });

  it('is not ordered for a numeric user, whom the provider would not set', async () => {
    const user = { uid: 1000, gid: null, username: null, groupname: null };
    expect(await failure(await order({ user }))).toBeInstanceOf(RefusedOrderError);
    expect(cloud.vms()).toBe(0);
  });
});

describe('refusals of RunPod', () => {
  it.each([
    ['no_capacity', { no_capacity: 1 }, NoCapacityError, 'no longer any instances available'],
    ['quota', { quota: 0 }, QuotaError, 'spend limit'],
    ['credentials', { refuse: 'credentials' }, CredentialsError, 'invalid bearer token'],
    ['permission', { refuse: 'permission' }, BackendError, 'access denied'],
    ['balance', { refuse: 'balance' }, BackendError, 'Insufficient balance'],
  ] as const)('%s is reported in its words', async (_, faults, kind, text) => {
    const given = await order();
    cloud.faults.set(faults);
    const error = await failure(given);
    expect(error).toBeInstanceOf(kind);
    expect(error.message).toContain(text);
    expect(cloud.vms()).toBe(0);
  });

  it('make a type sold out where it was refused, for this number of GPUs only', async () => {
    const given = await order();
    cloud.faults.set({ no_capacity: 1 });
    await failure(given);
    const where = (await offers(Requirements.parse({ resources: { gpu: 'H100:1..2' } }))).filter(
      ({ region }) => region === given.offer?.region,
    );
    expect(where.map(({ availability }) => availability)).toEqual(['not_available', 'available']);
  });

  it('of a key are found by the check, with the part that it may not use', async () => {
    expect((await backend.check()).every(({ ok }) => ok)).toBe(true);
    const other = runpodAt({ cloud, pace, apiKey: 'another' });
    expect(await other.check()).toMatchObject([{ ok: false, refused: true, name: 'runpod: pods' }]);
  });
});
