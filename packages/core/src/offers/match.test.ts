import { ResourcesSpec } from '@dstack/contract/wire';
import { describe, expect, it } from 'vitest';
import type { Offer } from '../model/index.ts';
import { anOffer, localOffer } from '../placement/testing.ts';
import { cpusOfShare, shareOffer, smallestShare, totalBlocksOf } from './blocks.ts';
import { firstMismatch, requirementsMatch } from './match.ts';

const wants = (resources: object, more: object = {}) => ({
  resources: ResourcesSpec.parse(resources),
  max_price: null,
  spot: null,
  reservation: null,
  multinode: false,
  backend_options: null,
  ...more,
});

const withGpu = (offer: Offer, gpu: object): Offer => {
  const { resources } = offer.instance;
  const gpus = resources.gpus.map((one) => ({ ...one, ...gpu }));
  return { ...offer, instance: { ...offer.instance, resources: { ...resources, gpus } } };
};

function withSizes(memory: number, disk: number): Offer {
  const offer = anOffer();
  const { resources } = offer.instance;
  const sizes = { memory_mib: memory, disk: { size_mib: disk } };
  return { ...offer, instance: { ...offer.instance, resources: { ...resources, ...sizes } } };
}

describe('requirements against an offer', () => {
  const h100s = anOffer({ gpus: 8, cpus: 96, memoryGb: 1000, price: 20 });
  it.each([
    ['bounds are inclusive', { cpu: '8..8', memory: '32GB..32GB' }, anOffer(), null],
    ['too few CPUs', { cpu: '16..' }, anOffer(), 'cpu'],
    ['too much memory', { memory: '..16GB' }, anOffer(), 'memory'],
    ['another architecture', { cpu: 'arm' }, anOffer(), 'cpu.arch'],
    ['a GPU by name, in any case', { gpu: 'h100:8' }, h100s, null],
    ['one of several names', { gpu: 'A100,H100:8' }, h100s, null],
    ['another name', { gpu: 'A100:8' }, h100s, 'gpu'],
    ['another number', { gpu: 'H100:4' }, h100s, 'gpu'],
    ['memory per GPU', { gpu: 'H100:96GB..:8' }, h100s, 'gpu'],
    ['memory of all GPUs', { gpu: { count: 8, total_memory: '640GB' } }, h100s, null],
    ['a capability it has', { gpu: { count: 8, compute_capability: '9.0' } }, h100s, null],
    ['a capability it lacks', { gpu: { count: 8, compute_capability: '10.0' } }, h100s, 'gpu'],
    [
      'an unknown GPU has no capability',
      { gpu: { count: 8, compute_capability: '1.0' } },
      withGpu(h100s, { name: 'XYZ' }),
      'gpu',
    ],
    ['another vendor', { gpu: 'amd:8' }, h100s, 'gpu'],
    ['a GPU without vendor is NVIDIA', { gpu: 'nvidia:8' }, withGpu(h100s, { vendor: null }), null],
    ['no GPU where none is needed, whatever its name', { gpu: 'H100:0..' }, anOffer(), null],
    ['a GPU where none is wanted', { gpu: 0 }, h100s, 'gpu'],
    ['a small disk', { disk: '200GB..' }, anOffer(), 'disk'],
    [
      'exact fractions of a GB in the next whole MiB',
      { memory: '0.1GB..0.1GB', disk: '1.3GB..1.3GB' },
      withSizes(103, 1332),
      null,
    ],
    [
      '… or in the one before, as clouds round their sizes',
      { memory: '0.1GB..0.1GB', disk: '1.3GB..1.3GB' },
      withSizes(102, 1331),
      null,
    ],
    ['a MiB too much for a fraction', { memory: '0.1GB..0.1GB' }, withSizes(104, 1331), 'memory'],
    ['a MiB too little for a fraction', { disk: '1.3GB..' }, withSizes(8192, 1330), 'disk'],
    ['a MiB too little', { memory: '1GB..' }, withSizes(1023, 1330), 'memory'],
    ['a MiB too much', { disk: '..1GB' }, withSizes(8192, 1025), 'disk'],
  ] as const)('%s', (_what, resources, offer, mismatch) => {
    expect(firstMismatch(wants(resources), offer)).toBe(mismatch);
  });

  it('counts price and kind of the machine', () => {
    expect(firstMismatch(wants({}, { max_price: 0.5 }), anOffer())).toBe('max_price');
    expect(firstMismatch(wants({}, { max_price: 1 }), anOffer())).toBeNull();
    expect(firstMismatch(wants({}, { spot: true }), anOffer())).toBe('spot');
    expect(firstMismatch(wants({}, { spot: false }), anOffer({ spot: true }))).toBe('spot');
  });

  it("leaves the server's machine in if only default bounds would rule it out", () => {
    expect(requirementsMatch(wants({}), localOffer())).toBe(true);
    expect(firstMismatch(wants({ cpu: '4..' }), localOffer())).toBe('cpu');
    expect(firstMismatch(wants({ memory: '6GB..' }), localOffer())).toBe('memory');
    expect(firstMismatch(wants({ cpu: '..0' }), localOffer())).toBe('cpu');
    expect(firstMismatch(wants({ cpu: 2 }), localOffer())).toBe('cpu');
    expect(firstMismatch(wants({ memory: '8GB' }), localOffer())).toBe('memory');
  });
});

describe('shares of a machine', () => {
  const machine = anOffer({ gpus: 8, cpus: 16, memoryGb: 64, price: 8 });

  it('divide CPUs, memory and GPUs; disk and price stay whole', () => {
    const share = shareOffer(machine, 4, 1);
    expect(share).toMatchObject({ blocks: 1, total_blocks: 4, price: 8 });
    expect(share.instance.resources).toMatchObject({ cpus: 4, memory_mib: 16384 });
    expect(share.instance.resources.gpus).toHaveLength(2);
    expect(share.instance.resources.disk).toEqual(machine.instance.resources.disk);
  });

  it.each([
    ['nothing', {}, 1],
    ['4 GPUs', { gpu: '4..' }, 2],
    ['40 GB', { memory: '40GB..' }, 3],
    ['more than there is', { gpu: '9..' }, null],
  ])('are as small as asking for %s allows', (_what, resources, blocks) => {
    expect(smallestShare(wants(resources), machine, 4)?.blocks ?? null).toBe(blocks);
  });

  it('are all of it for jobs that span machines', () => {
    expect(smallestShare(wants({}, { multinode: true }), machine, 4)?.blocks).toBe(4);
  });

  it('have all CPUs that are asked for exactly, on the server host too', () => {
    const laptop = { ...localOffer() };
    const resources = { ...laptop.instance.resources, cpus: 2, memory_mib: 8192 };
    const offer = { ...laptop, instance: { ...laptop.instance, resources } };
    const blocks = (asked: object) => smallestShare(wants(asked), offer, 8)?.blocks ?? null;
    // Seven eighths have 1.75 CPUs.
    expect(blocks({ cpu: 2, memory: '7GB..' })).toBe(8);
    expect(blocks({ cpu: '2..', memory: '7GB..' })).toBe(7);
    expect(blocks({ cpu: 3 })).toBeNull();
    expect(cpusOfShare(offer, 8, 7)).toBe(1.75);
  });

  it.each([
    ['auto', machine, 8],
    ['auto', anOffer({ cpus: 6 }), 6],
    [4, machine, 4],
    [3, machine, null],
  ] as const)('are as many as blocks requests: %s', (blocks, offer, total) => {
    expect(totalBlocksOf(offer, blocks)).toBe(total);
  });
});
