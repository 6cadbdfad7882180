import { FleetSpec, Profile, ResourcesSpec } from '@dstack/contract/wire';
import { describe, expect, it } from 'vitest';
import { combineFleetAndRun } from './combine.ts';

const combine = (fleet: object, run: object, resources: object = {}, more: object = {}) =>
  combineFleetAndRun(
    FleetSpec.parse({
      configuration: { type: 'fleet', nodes: '0..', ...fleet },
      profile: { name: 'default' },
    }),
    {
      resources: ResourcesSpec.parse(resources),
      max_price: null,
      spot: false,
      reservation: null,
      multinode: false,
      backend_options: null,
      ...more,
    },
    Profile.parse({ name: 'default', ...run }),
  );

describe('a fleet and a run together', () => {
  it.each([
    ['backends', { backends: ['aws', 'gcp'] }, { backends: ['gcp', 'azure'] }, ['gcp']],
    ['regions', { regions: ['US-1', 'eu-1'] }, { regions: ['us-1'] }, ['US-1']],
    ['regions', {}, { regions: ['us-1'] }, ['us-1']],
    ['max_price', { max_price: 2 }, { max_price: 1 }, 1],
    ['idle_duration', { idle_duration: 'off' }, { idle_duration: 60 }, 60],
    ['idle_duration', { idle_duration: 60 }, { idle_duration: 300 }, 60],
    ['idle_duration', { idle_duration: 'off' }, {}, -1],
    ['tags', { tags: { a: '1', b: '1' } }, { tags: { a: '2' } }, { a: '2', b: '1' }],
    ['spot_policy', { spot_policy: 'auto' }, { spot_policy: 'spot' }, 'spot'],
  ] as const)('agree on %s', (key, fleet, run, expected) => {
    const combined = combine(fleet, run, {}, { spot: null });
    expect('profile' in combined && combined.profile[key]).toEqual(expected);
  });

  it.each([
    ['backends', { backends: ['aws'] }, { backends: ['gcp'] }, {}],
    ['instance_types', { instance_types: ['a'] }, { instance_types: ['b'] }, {}],
    ['spot_policy', { spot_policy: 'spot' }, { spot_policy: 'on-demand' }, {}],
    ['reservation', { reservation: 'a' }, { reservation: 'b' }, {}],
    ['resources.cpu', { resources: { cpu: '..4' } }, {}, { cpu: '8..' }],
    ['resources.cpu.arch', { resources: { cpu: 'arm' } }, {}, { cpu: 'x86' }],
    ['resources.gpu.name', { resources: { gpu: 'H100' } }, {}, { gpu: 'A100' }],
    ['resources.gpu.vendor', { resources: { gpu: 'amd' } }, {}, { gpu: 'nvidia' }],
    ['resources.gpu.count', { resources: { gpu: 8 } }, {}, { gpu: '1..4' }],
  ] as const)('exclude each other on %s', (incompatible, fleet, run, resources) => {
    expect(combine(fleet, run, resources)).toMatchObject({ excluded: { property: incompatible } });
  });

  it('narrow ranges, take the higher capability and ask for a cluster if either does', () => {
    const combined = combine(
      {
        placement: 'cluster',
        resources: { memory: '16GB..64GB', gpu: { compute_capability: '8.0' } },
      },
      {},
      { memory: '32GB..', gpu: { compute_capability: '9.0' }, disk: '50GB..' },
    );
    expect('requirements' in combined && combined.requirements).toMatchObject({
      multinode: true,
      resources: {
        memory: { min: 32, max: 64 },
        gpu: { compute_capability: [9, 0] },
        disk: { size: { min: 100 } },
      },
    });
  });
});
