import type { Requirements } from '@dstack/contract/wire';
import { requirementsMatch } from '@dstack/core';
import { describe, expect, it } from 'vitest';
import { parseNodes } from './node.ts';
import { closedNodes, clusterOffers } from './offers.ts';
import { gpuModel, partitionMap, type SlurmClusterConfig } from './partitions.ts';

const NODES = parseNodes(
  [
    'NodeName=gpu-1 Arch=x86_64 CPUAlloc=0 CPUTot=32 Gres=gpu:h100:8 GresUsed=gpu:h100:6(IDX:0-5) RealMemory=262144 AllocMem=0 State=MIXED Partitions=gpu,low',
    'NodeName=gpu-2 Arch=x86_64 CPUAlloc=0 CPUTot=32 Gres=gpu:8 GresUsed=gpu:0 RealMemory=262144 AllocMem=0 State=IDLE Partitions=big',
    'NodeName=cpu-1 Arch=x86_64 CPUAlloc=60 CPUTot=64 Gres=(null) GresUsed=gpu:0 RealMemory=131072 AllocMem=0 State=MIXED Partitions=cpu,low',
    'NodeName=cpu-2 Arch=x86_64 CPUAlloc=0 CPUTot=64 Gres=(null) RealMemory=131072 AllocMem=0 State=DOWN Partitions=cpu,low',
  ].join('\n'),
);

const cluster = (part: Partial<SlurmClusterConfig> = {}): SlurmClusterConfig => ({
  ...{ name: 'hpc', gpu_partitions: null, cpu_partitions: null, hostname: 'login', port: null },
  ...{ user: 'dev', private_key: { path: '', content: '' } },
  ...part,
});

function inputOf(
  resources: Partial<Requirements['resources']>,
  part: Partial<SlurmClusterConfig> = {},
) {
  const requirements = {
    resources: {
      cpu: { arch: null, count: { min: 2, max: null } },
      memory: { min: 8, max: null },
      gpu: null,
      disk: null,
      shm_size: null,
      ...resources,
    },
    max_price: null,
    spot: null,
  } as unknown as Requirements;
  const map = partitionMap(cluster(part));
  const qos = new Map();
  const input = { region: 'hpc', nodes: NODES, map, qos, requirements, matches: requirementsMatch };
  return { ...input, priceOf: () => 0 };
}

function offers(...asked: Parameters<typeof inputOf>) {
  return clusterOffers(inputOf(...asked)).map(
    ({ instance, availability, availability_zones: zones }) => ({
      name: instance.name,
      cpus: instance.resources.cpus,
      memory: instance.resources.memory_mib,
      gpus: instance.resources.gpus.map(({ name, memory_mib }) => `${name}:${memory_mib}`),
      ...{ availability, zones },
    }),
  );
}

const gpu = (count: number, more: object = {}) =>
  ({ count: { min: count, max: count }, ...more }) as unknown as Requirements['resources']['gpu'];

describe('the offers of a cluster', () => {
  it('are the requested share of each open node, busy where it is in use', () => {
    expect(offers({ cpu: { arch: null, count: { min: 8, max: null } } as never })).toEqual([
      {
        ...{ name: 'gpu-1', cpus: 8, memory: 8192, gpus: [], availability: 'available' },
        zones: ['gpu', 'low'],
      },
      {
        ...{ name: 'gpu-2', cpus: 8, memory: 8192, gpus: [], availability: 'available' },
        zones: ['big'],
      },
      {
        name: 'cpu-1',
        cpus: 8,
        memory: 8192,
        gpus: [],
        availability: 'busy',
        zones: ['cpu', 'low'],
      },
    ]);
  });

  it('name GPUs by the type that the node reports, without a configuration', () => {
    expect(offers({ gpu: gpu(2) })).toEqual([
      expect.objectContaining({
        ...{ name: 'gpu-1', gpus: ['H100:81920', 'H100:81920'], availability: 'available' },
        zones: ['gpu', 'low'],
      }),
    ]);
    expect(offers({ gpu: gpu(4) })).toMatchObject([{ name: 'gpu-1', availability: 'busy' }]);
    expect(offers({ gpu: gpu(9) })).toEqual([]);
  });

  it('name GPUs by the configured partitions, and use only these for them', () => {
    const part = { gpu_partitions: [{ gpu: 'A100:80GB', partitions: ['big'] }] };
    expect(offers({ gpu: gpu(8, { name: ['A100'] }) }, part)).toMatchObject([
      { name: 'gpu-2', zones: ['big'] },
    ]);
    expect(offers({ gpu: gpu(1, { name: ['H100'] }) }, part)).toEqual([]);
  });

  it('keep jobs without GPUs out of GPU partitions, and in the configured ones', () => {
    const gpuPartitions = [{ gpu: 'H100', partitions: ['gpu', 'big'] }];
    expect(offers({}, { gpu_partitions: gpuPartitions })).toMatchObject([
      { name: 'gpu-1', zones: ['low'] },
      { name: 'cpu-1', zones: ['cpu', 'low'] },
    ]);
    expect(offers({}, { cpu_partitions: ['cpu'] })).toMatchObject([
      { name: 'cpu-1', zones: ['cpu'] },
    ]);
  });

  it('are whole MiB of the memory that is requested, also where its upper bound is small', () => {
    const memoryOf = (min: number | null, max: number | null) =>
      offers({ memory: { min, max } }, { cpu_partitions: ['big'] }).map(({ memory }) => memory);
    expect(memoryOf(1.3, 1.3)).toEqual([1332]);
    expect(memoryOf(0.1, 0.1)).toEqual([103]);
    expect(memoryOf(0, null)).toEqual([512]);
    expect(memoryOf(null, 4)).toEqual([4096]);
    expect(memoryOf(null, null)).toEqual([8192]);
  });
});

describe('the GPU of a partition', () => {
  it.each([
    ['H100', { vendor: 'nvidia', name: 'H100', memory_mib: 81_920 }],
    ['A100:40GB', { vendor: 'nvidia', name: 'A100', memory_mib: 40_960 }],
    ['amd:MI300X', { vendor: 'amd', name: 'MI300X', memory_mib: 196_608 }],
    ['nvidia:X900:64GB', { vendor: 'nvidia', name: 'X900', memory_mib: 65_536 }],
  ])('%s is known', (text, expected) => {
    expect(gpuModel(text)).toEqual(expected);
  });

  it('must be one model', () => {
    expect(gpuModel('A100')).toBe(
      'gpu_partitions: A100 has variants of 40GB and 80GB: add the memory, as in A100:80GB',
    );
    expect(gpuModel('X900')).toContain('X900 is not a known GPU');
    const twice = [
      { gpu: 'H100', partitions: ['gpu'] },
      { gpu: 'L4', partitions: ['gpu'] },
    ];
    expect(partitionMap(cluster({ gpu_partitions: twice })).problems).toEqual([
      'partition gpu has two GPU models: H100 and L4',
    ]);
  });

  it('are none of nodes that start no jobs, which are named if they would fit', () => {
    expect(closedNodes(inputOf({}))).toEqual(['cpu-2 (down)']);
    expect(closedNodes(inputOf({ gpu: gpu(1) }))).toEqual([]);
  });
});
