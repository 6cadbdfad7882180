import { Requirements } from '@dstack/contract/wire';
import type { Offer } from '@dstack/core';
import { describe, expect, it } from 'vitest';
import { noWay } from '../base/container-cloud/dial-way.ts';
import type { CatalogItem } from '../catalog/catalog.ts';
import type { CpuType, GpuType, RunpodApi } from './api.ts';
import { gpuModel, runpodOffers } from './offers.ts';
import { Runpod } from './runpod.ts';
import { CPU, H100, newAccountForEachTest } from './testing/account.ts';

const ONE_H100 = Requirements.parse({ resources: { gpu: 'H100:1' } });

const { now, another, offers, order } = newAccountForEachTest();

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
    now().cloud.sellOut('1x NVIDIA H100 80GB HBM3', 'EU-RO-1');
    now().cloud.sellOut('4x NVIDIA H100 80GB HBM3', 'EU-RO-1');
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
    const [listed] = await offers(H100, another({ listed: [item({})] }));
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
      now().cloud.sellOut('1x NVIDIA H100 80GB HBM3', region);
    }
    const listed = [item({ location: 'AP-JP-1' })];
    const found = await offers(ONE_H100, another({ listed }));
    expect(shown(found)).toEqual(['1 AP-JP-1 2.99 not_available']);
  });

  it('without GPUs have a disk that grows with their processors', async () => {
    const found = await offers(CPU, another({ regions: ['eu-ro-1'] }));
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
    const { offers: found, notes } = await now().backend.offers(requirements);
    expect(found).toEqual([]);
    expect(notes).toEqual([
      'clusters of RunPod cannot be used yet, so it runs jobs on one node only',
    ]);
  });

  it('are not available to a server that pods do not reach, and say so', async () => {
    const problem = 'RunPod needs a URL of this server: set DSTACK_SERVER_URL';
    const unreached = another({ way: noWay(problem) });
    const { offers: found, notes } = await unreached.offers(H100);
    expect(new Set(found.map(({ availability }) => availability))).toEqual(
      new Set(['not_available']),
    );
    expect(notes).toContain(problem);
    const given = await order();
    await expect(unreached.instances?.create(given)).rejects.toThrow(problem);
    expect(now().cloud.vms()).toBe(0);
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
    const one = new Runpod({
      api,
      apiKey: 'key',
      regions: null,
      listed: () => [],
      pace: now().pace,
    });
    const [vm] = await one.list();
    expect(vm?.instance.resources.gpus).toHaveLength(64);
  });
});
