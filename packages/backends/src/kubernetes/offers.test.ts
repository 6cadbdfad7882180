import type { Requirements } from '@dstack/contract/wire';
import { EVERYTHING, requirementsMatch } from '@dstack/core';
import { describe, expect, it } from 'vitest';
import type { NodeFacts } from './node-room.ts';
import { clusterOffers, cordonedNodes } from './offers.ts';

const NODE = {
  ...{ name: 'one', isReady: true, isCordoned: false, taints: [], gpus: null, arch: 'x86' },
  allocatable: { cpus: 8, memoryMib: 16_384, diskMib: 100_000, gpus: {} },
} as unknown as NodeFacts;

type Bounds = { readonly min: number | null; readonly max: number | null };

const PLAIN = { matches: requirementsMatch, priceOf: () => 0 };

function sizes(memory: Bounds, disk: Bounds | null = null) {
  const requirements = {
    resources: {
      cpu: { arch: null, count: { min: 1, max: null } },
      ...{ memory, disk: disk && { size: disk }, gpu: null, shm_size: null },
    },
    ...{ max_price: null, spot: null },
  } as unknown as Requirements;
  const input = { region: '', nodes: [NODE], pods: [], requirements, ...PLAIN };
  return clusterOffers(input).map(({ instance: { resources } }) => [
    resources.memory_mib,
    resources.disk?.size_mib,
  ]);
}

describe('the offers of nodes', () => {
  it('are the requested share in whole MiB, also of exact fractions of a GB', () => {
    const fraction = { min: 0.1, max: 0.1 };
    expect(sizes(fraction, fraction)).toEqual([[103, 103]]);
  });

  it('are whole nodes if everything is asked for', () => {
    const input = { region: '', nodes: [NODE], pods: [], ...PLAIN };
    const [offer] = clusterOffers({ ...input, requirements: EVERYTHING });
    expect(offer?.instance.resources).toMatchObject({ cpus: 8, memory_mib: 16_384 });
  });

  it('have the price of the share, which max_price is compared with', () => {
    const price = (max_price: number | null) => {
      const requirements = { ...EVERYTHING, max_price };
      const priceOf = ({ cpus }: { readonly cpus: number }) => cpus * 0.5;
      const input = { region: '', nodes: [NODE], pods: [], requirements, ...PLAIN, priceOf };
      return clusterOffers(input).map((offer) => offer.price);
    };
    expect([price(null), price(4), price(3.9)]).toEqual([[4], [4], []]);
  });

  it('are none of cordoned nodes, which are named if they would fit', () => {
    const taints = [{ key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' }];
    const cordoned = { ...NODE, name: 'two', isCordoned: true, taints };
    const others = [
      { ...cordoned, name: 'lost', isReady: false },
      { ...cordoned, name: 'reserved', taints: [{ key: 'team', effect: 'NoSchedule' }] },
      { ...cordoned, name: 'tiny', allocatable: { ...NODE.allocatable, cpus: 0.5 } },
    ];
    const requirements = {
      ...EVERYTHING,
      resources: { ...EVERYTHING.resources, cpu: { arch: null, count: { min: 1, max: null } } },
    } as unknown as Requirements;
    const nodes = [NODE, cordoned, ...others];
    const input = { region: '', nodes, pods: [], requirements, ...PLAIN };
    expect(clusterOffers(input).map(({ instance }) => instance.name)).toEqual(['one']);
    expect(cordonedNodes(input)).toEqual(['two (cordoned)']);
  });

  it('fit an upper bound that is below what the node has', () => {
    expect(sizes({ min: null, max: 4 })).toEqual([[4096, 100_000]]);
    expect(sizes({ min: 17, max: null })).toEqual([]);
  });
});
