import { formatRange } from '@dstack/contract';
import type { FleetSpec, Profile, Requirements } from '@dstack/contract/wire';
import { fleetRequirements } from '../profile/fleet-requirements.ts';
import { mergedFleetProfile } from '../profile/merge.ts';
import { includesIgnoringCase } from './needs.ts';

/** The requirements of an instance that is created for a run in a fleet. */
export interface Combined {
  readonly requirements: Requirements;
  readonly profile: Profile;
}

/** The property on which a fleet and a run exclude each other, with both values, as users write them. */
export interface Exclusion {
  readonly property: string;
  readonly asked: string;
  readonly has: string;
}

export type CombineResult = Combined | { readonly excluded: Exclusion };

/**
 * Thrown and caught inside this file only: an exclusion found at any depth ends the combination.
 */
class Incompatible extends Error {
  readonly exclusion: Exclusion;
  constructor(property: string, fleet: unknown, run: unknown) {
    super(property);
    this.exclusion = { property, asked: valueText(run), has: valueText(fleet) };
  }
}

function valueText(value: unknown): string {
  return Array.isArray(value) ? value.join(', ') : String(value);
}

/**
 * Combines the constraints of a fleet and of a run placed into it: a property that one leaves open
 * is determined by the other, and if both restrict it, both must hold (the wire contract's rule per
 * property).
 */
export function combineFleetAndRun(
  fleetSpec: FleetSpec,
  requirements: Requirements,
  profile: Profile,
): CombineResult {
  const fleetProfile = mergedFleetProfile(fleetSpec);
  try {
    const combined = combineProfiles(fleetProfile, profile);
    return {
      profile: combined,
      requirements: combineRequirements(fleetRequirements(fleetSpec), requirements, combined),
    };
  } catch (error) {
    if (error instanceof Incompatible) return { excluded: error.exclusion };
    throw error;
  }
}

function combineProfiles(fleet: Profile, run: Profile): Profile {
  return {
    ...run,
    backends: intersect('backends', fleet.backends, run.backends, (all, one) => all.includes(one)),
    regions: intersect('regions', fleet.regions, run.regions, includesIgnoringCase),
    availability_zones: intersect(
      'availability_zones',
      fleet.availability_zones,
      run.availability_zones,
      includesIgnoringCase,
    ),
    instance_types: intersect(
      'instance_types',
      fleet.instance_types,
      run.instance_types,
      includesIgnoringCase,
    ),
    reservation: equal('reservation', fleet.reservation, run.reservation),
    spot_policy: combineSpotPolicies(fleet.spot_policy, run.spot_policy),
    max_price: least(fleet.max_price, run.max_price),
    idle_duration: combineIdleDurations(fleet.idle_duration, run.idle_duration),
    tags: fleet.tags || run.tags ? { ...fleet.tags, ...run.tags } : null,
    backend_options: combineBackendOptions(fleet.backend_options, run.backend_options),
  };
}

function combineRequirements(
  fleet: Requirements,
  run: Requirements,
  profile: Profile,
): Requirements {
  return {
    resources: combineResources(fleet.resources, run.resources),
    max_price: least(fleet.max_price, run.max_price),
    spot: combineSpot(fleet.spot, run.spot),
    reservation: equal('reservation', fleet.reservation, run.reservation),
    multinode: Boolean(fleet.multinode) || Boolean(run.multinode),
    backend_options: profile.backend_options,
  };
}

type Resources = Requirements['resources'];
type Gpu = NonNullable<Resources['gpu']>;

function combineResources(fleet: Resources, run: Resources): Resources {
  return {
    cpu: {
      arch: equal('resources.cpu.arch', fleet.cpu.arch, run.cpu.arch),
      count: overlap('resources.cpu', fleet.cpu.count, run.cpu.count),
    },
    memory: overlap('resources.memory', fleet.memory, run.memory),
    shm_size: least(fleet.shm_size, run.shm_size),
    gpu: fleet.gpu && run.gpu ? combineGpus(fleet.gpu, run.gpu) : (fleet.gpu ?? run.gpu),
    disk:
      fleet.disk && run.disk
        ? { size: overlap('resources.disk', fleet.disk.size, run.disk.size) }
        : (fleet.disk ?? run.disk),
  };
}

function combineGpus(fleet: Gpu, run: Gpu): Gpu {
  return {
    vendor: equal('resources.gpu.vendor', fleet.vendor, run.vendor),
    name: intersect('resources.gpu.name', fleet.name, run.name, includesIgnoringCase),
    count: overlap('resources.gpu.count', fleet.count, run.count),
    memory: overlapOrEither('resources.gpu.memory', fleet.memory, run.memory),
    total_memory: overlapOrEither(
      'resources.gpu.total_memory',
      fleet.total_memory,
      run.total_memory,
    ),
    compute_capability: higherCapability(fleet.compute_capability, run.compute_capability),
  };
}

type Options = NonNullable<Profile['backend_options']>;

function combineBackendOptions(
  fleet: Options | null | undefined,
  run: Options | null | undefined,
): Options | null {
  if (!fleet || !run) return fleet ?? run ?? null;
  const onlyRun = run.filter((option) => !fleet.some((other) => other.type === option.type));
  const both = fleet.map((option) => {
    const other = run.find((candidate) => candidate.type === option.type);
    if (!other) return option;
    return {
      ...option,
      offer_order: equal('backend_options', option.offer_order, other.offer_order),
      min_reliability: greatest(option.min_reliability, other.min_reliability),
      min_score: greatest(option.min_score, other.min_score),
    };
  });
  return [...both, ...onlyRun];
}

type Maybe<T> = T | null | undefined;

/** In the fleet's order and spelling. */
function intersect<T extends string>(
  property: string,
  fleet: Maybe<readonly T[]>,
  run: Maybe<readonly T[]>,
  has: (all: readonly T[], one: T) => boolean,
): T[] | null {
  if (!fleet || !run) return fleet || run ? [...(fleet ?? run ?? [])] : null;
  const both = fleet.filter((value) => has(run, value));
  if (both.length === 0) throw new Incompatible(property, fleet, run);
  return both;
}

function equal<T>(property: string, fleet: Maybe<T>, run: Maybe<T>): T | null {
  if (fleet == null || run == null) return fleet ?? run ?? null;
  if (fleet !== run) throw new Incompatible(property, fleet, run);
  return fleet;
}

function combineSpotPolicies(
  fleet: Profile['spot_policy'],
  run: Profile['spot_policy'],
): Profile['spot_policy'] {
  if (fleet === 'auto') return run ?? fleet;
  if (run === 'auto') return fleet ?? run;
  return equal('spot_policy', fleet, run);
}

/** Null is `auto`: both kinds are allowed. */
function combineSpot(fleet: Maybe<boolean>, run: Maybe<boolean>): boolean | null {
  if (fleet == null || run == null || fleet === run) return fleet ?? run ?? null;
  throw new Incompatible('spot_policy', spotPolicy(fleet), spotPolicy(run));
}

const spotPolicy = (spot: boolean): string => (spot ? 'spot' : 'on-demand');

/** Negative means `off` (never); any other duration is shorter. */
function combineIdleDurations(fleet: Maybe<number>, run: Maybe<number>): number | null {
  if (fleet == null || run == null) return fleet ?? run ?? null;
  if (fleet < 0) return run;
  return run < 0 ? fleet : Math.min(fleet, run);
}

function least(fleet: Maybe<number>, run: Maybe<number>): number | null {
  return fleet == null || run == null ? (fleet ?? run ?? null) : Math.min(fleet, run);
}

function greatest(fleet: Maybe<number>, run: Maybe<number>): number | null {
  return fleet == null || run == null ? (fleet ?? run ?? null) : Math.max(fleet, run);
}

type Range = Resources['memory'];

function overlap(property: string, fleet: Range, run: Range): Range {
  const min = greatest(fleet.min, run.min);
  const max = least(fleet.max, run.max);
  if (min !== null && max !== null && min > max) {
    throw new Incompatible(property, formatRange(fleet), formatRange(run));
  }
  return { min, max };
}

function overlapOrEither(property: string, fleet: Maybe<Range>, run: Maybe<Range>): Range | null {
  return fleet && run ? overlap(property, fleet, run) : (fleet ?? run ?? null);
}

function higherCapability(
  fleet: Gpu['compute_capability'],
  run: Gpu['compute_capability'],
): Gpu['compute_capability'] {
  if (!fleet || !run) return fleet ?? run;
  const [fleetMajor = 0, fleetMinor = 0] = fleet;
  const [runMajor = 0, runMinor = 0] = run;
  const fleetIsHigher = fleetMajor > runMajor || (fleetMajor === runMajor && fleetMinor > runMinor);
  return fleetIsHigher ? fleet : run;
}
