import type { CpuGroup, GpuGroup } from '@dstack/contract/wire';
import { expect, it } from 'vitest';
import type { PlanOffer } from '../../data/offers/offer-queries.ts';
import { offerGroupRows } from './offer-rows.ts';

const none = { groups: [], offers: [], total: 0 };

it('shows groups of GPUs with ranges, and their best availability', () => {
  const group: GpuGroup = {
    name: 'H100',
    memory_mib: 81_920,
    vendor: 'nvidia',
    availability: ['not_available', 'available'],
    spot: ['spot', 'on-demand'],
    count: { min: 1, max: 8 },
    price: { min: 2.1, max: 4.2 },
    backends: ['aws', 'remote'],
    regions: ['a', 'b', 'c', 'd'],
  };
  expect(offerGroupRows({ ...none, groups: [group] })).toMatchObject([
    {
      name: 'H100 80 GB',
      count: '1 – 8',
      backend: 'aws, ssh or local',
      region: '4 regions',
      spot: 'on-demand, spot',
      availability: 'available',
      price: '$2.10 – $4.20',
    },
  ]);
});

it('shows groups without GPUs, and single offers', () => {
  const cpu = {
    cpu_arch: ['x86'],
    count: { min: 2, max: 2 },
    memory_mib: { min: 24_576, max: 24_576 },
    price: { min: 0, max: 0 },
    availability: ['idle'],
    spot: ['on-demand'],
    backend: 'remote',
    region: 'local',
  } as unknown as CpuGroup;
  const offer = {
    backend: 'aws',
    region: 'eu-1',
    price: 12,
    availability: 'no_quota',
    instance: {
      name: 'p5',
      resources: {
        cpus: 96,
        memory_mib: 1_048_576,
        gpus: Array(8).fill({ name: 'H100', memory_mib: 81_920 }),
        spot: true,
        disk: { size_mib: 0 },
      },
    },
  } as unknown as PlanOffer;
  const nodes = { ...offer, nodes: { count: 4, names: [] } };
  expect(offerGroupRows({ groups: [cpu], offers: [offer, nodes], total: 3 })).toMatchObject([
    { name: 'x86', count: '2', resources: '24 GB', backend: 'local', price: '–' },
    { name: '8 × H100 80 GB', resources: 'p5, 96 CPU, 1 TB', spot: 'spot', price: '$12.00' },
    { resources: 'p5 and 3 more, 96 CPU, 1 TB' },
  ]);
});
