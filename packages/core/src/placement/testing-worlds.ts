/** Random worlds for the properties of placement and of explanations. */
import fc from 'fast-check';
import type { Offer, PlacementSnapshot } from '../model/index.ts';
import {
  aFleet,
  aGang,
  anInstance,
  anOffer,
  aRun,
  aSnapshot,
  localOffer,
  mayUse,
} from './testing.ts';

export interface World {
  readonly snapshot: PlacementSnapshot;
  readonly offers: readonly Offer[];
}

const machine = fc
  .record({
    cpus: fc.constantFrom(4, 8),
    gpus: fc.constantFrom(0, 4, 8),
    price: fc.integer({ min: 1, max: 4 }),
    region: fc.constantFrom('eu-1', 'us-1'),
    availability: fc.constantFrom('available' as const, 'not_available' as const),
  })
  .map(anOffer);

const fleetShape = fc.record({
  placement: fc.constantFrom('any', 'cluster'),
  blocks: fc.constantFrom<(number | 'auto')[]>(1, 2, 4, 'auto'),
  max: fc.option(fc.integer({ min: 1, max: 4 })),
  ssh: fc.boolean(),
});

const instanceShape = fc.record({
  fleet: fc.nat({ max: 2 }),
  offer: machine,
  status: fc.constantFrom(
    'idle' as const,
    'idle' as const,
    'busy' as const,
    'provisioning' as const,
    'terminating' as const,
  ),
  totalBlocks: fc.constantFrom(1, 2, 4),
  busy: fc.nat({ max: 4 }),
  unreachable: fc.boolean(),
});

const gangShape = fc.record({
  nodes: fc.integer({ min: 1, max: 4 }),
  gpus: fc.constantFrom('0..', '1..', '2..', '1', '8'),
  reuse: fc.boolean(),
  stopped: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
});

export const worlds: fc.Arbitrary<World> = fc
  .record({
    fleets: fc.array(fleetShape, { minLength: 1, maxLength: 3 }),
    instances: fc.array(instanceShape, { maxLength: 8 }),
    gangs: fc.array(gangShape, { maxLength: 6 }),
    offers: fc.array(machine, { maxLength: 4 }),
    local: fc.boolean(),
  })
  .map(({ fleets: shapes, instances: drawn, gangs, offers, local }) => {
    const fleets = shapes.map(({ placement, blocks, max, ssh }, index) =>
      aFleet(`f${index}`, {
        placement,
        ...(ssh ? { ssh_config: { hosts: ['h'], user: 'u' } } : { blocks, nodes: { min: 0, max } }),
      }),
    );
    const instances = drawn.map(({ fleet, offer, status, totalBlocks, busy, unreachable }, num) => {
      const busyBlocks = status === 'busy' ? Math.max(1, Math.min(busy, totalBlocks)) : 0;
      const patch = { status, totalBlocks, busyBlocks, unreachable };
      return anInstance(fleets[fleet % fleets.length] ?? aFleet('none'), num, offer, patch);
    });
    const work = gangs.map(({ nodes, gpus, reuse, stopped }, index) => {
      const resources = { cpu: `${(index % 3) + 1}..`, memory: '1GB..', gpu: gpus };
      const policy = reuse ? { creation_policy: 'reuse' } : {};
      const run = aRun(`r${index}`, { nodes, resources, ...policy });
      return aGang(run, 0, stopped ? { stopRequestedAt: 1 } : {});
    });
    return {
      snapshot: aSnapshot({ fleets, instances, gangs: work }),
      offers: local ? [localOffer(), ...offers] : offers,
    };
  });

/** The same with gangs of two projects; the second one may use some of the fleets of the first. */
export const sharedWorlds: fc.Arbitrary<World> = fc
  .tuple(worlds, fc.array(fc.boolean(), { minLength: 6, maxLength: 6 }), fc.nat({ max: 7 }))
  .map(([{ snapshot, offers }, isOthers, imported]) => {
    const gangs = snapshot.gangs.map((gang, index) =>
      isOthers[index] ? { ...gang, run: { ...gang.run, projectId: 'project-2' } } : gang,
    );
    const fleets = snapshot.fleets.filter(
      (_, index) => Math.floor(imported / 2 ** index) % 2 === 1,
    );
    const projects = new Map([
      ...mayUse(['project-1'], snapshot.fleets),
      ...mayUse(['project-2'], fleets),
    ]);
    return { snapshot: { ...snapshot, gangs, projects }, offers };
  });
