import type { Requirements } from '@dstack/contract/wire';
import type { Offer } from '../model/index.ts';
import { computeCapabilityOf } from './accelerators.ts';

/** A part of the requirements that an offer can fail, as people name it. */
export type RequirementName =
  | 'spot'
  | 'max_price'
  | 'cpu'
  | 'cpu.arch'
  | 'memory'
  | 'disk'
  | 'gpu'
  | 'reservation';

interface Bounds {
  readonly min: number | null;
  readonly max: number | null;
}

/** Lower bounds that the language sets when nothing is asked for: CPUs, memory GB, disk GB. */
const LANGUAGE_DEFAULTS = { cpu: 2, memory: 8, disk: 100 } as const;

const MIB_PER_GB = 1024;

/** Whether the offer, or the share of a machine that it describes, satisfies the requirements. */
export function requirementsMatch(requirements: Requirements, offer: Offer): boolean {
  return firstMismatch(requirements, offer) === null;
}

/**
 * The first requirement the offer fails, in the order of the wire's matching rules, or null.
 * The language's default lower bounds rule no machine of the `local` backend out: it is the only
 * one there is, and nobody asked for more.
 */
export function firstMismatch(requirements: Requirements, offer: Offer): RequirementName | null {
  const { resources } = requirements;
  const machine = offer.instance.resources;
  const lenient = offer.backend === 'local';
  const cpu = resources.cpu;
  if (requirements.max_price != null && offer.price > requirements.max_price) return 'max_price';
  if (requirements.spot != null && machine.spot !== requirements.spot) return 'spot';
  if (cpu.arch && machine.cpu_arch && cpu.arch !== machine.cpu_arch) return 'cpu.arch';
  if (!within(machine.cpus, bounds(cpu.count, lenient ? LANGUAGE_DEFAULTS.cpu : null))) {
    return 'cpu';
  }
  const memory = bounds(resources.memory, lenient ? LANGUAGE_DEFAULTS.memory : null);
  if (!within(machine.memory_mib / MIB_PER_GB, memory)) return 'memory';
  if (resources.gpu && !gpusMatch(resources.gpu, machine.gpus)) return 'gpu';
  if (!diskMatches(resources.disk, machine.disk?.size_mib ?? 0, lenient)) return 'disk';
  return null;
}

type GpuRequirement = NonNullable<Requirements['resources']['gpu']>;
type Gpus = Offer['instance']['resources']['gpus'];

/** A machine without GPUs passes when none is needed, whatever else the specification says. */
function gpusMatch(wanted: GpuRequirement, gpus: Gpus): boolean {
  const first = gpus[0];
  if (!first && (wanted.count.min ?? 0) <= 0) return true;
  if (!within(gpus.length, wanted.count)) return false;
  if (wanted.vendor && vendorOf(first) !== wanted.vendor) return false;
  if (wanted.name && !wanted.name.some((name) => sameWord(name, first?.name ?? ''))) return false;
  if (wanted.compute_capability && !isCapable(first, wanted.compute_capability)) return false;
  const perGpu = (first?.memory_mib ?? 0) / MIB_PER_GB;
  if (wanted.memory && !within(perGpu, wanted.memory)) return false;
  return !wanted.total_memory || within(perGpu * gpus.length, wanted.total_memory);
}

/** The wire leaves a vendor out where it is NVIDIA. */
function vendorOf(gpu: Gpus[number] | undefined): string | null {
  return gpu ? (gpu.vendor ?? 'nvidia') : null;
}

/** Only known NVIDIA GPUs have a compute capability. */
function isCapable(gpu: Gpus[number] | undefined, least: readonly number[]): boolean {
  const known = gpu && vendorOf(gpu) === 'nvidia' ? computeCapabilityOf(gpu.name) : null;
  if (!known) return false;
  const [major = 0, minor = 0] = least;
  return known[0] > major || (known[0] === major && known[1] >= minor);
}

/** A size of 0 is unknown and passes. */
function diskMatches(
  disk: Requirements['resources']['disk'],
  sizeMib: number,
  lenient: boolean,
): boolean {
  if (!disk || sizeMib === 0) return true;
  return within(sizeMib / MIB_PER_GB, bounds(disk.size, lenient ? LANGUAGE_DEFAULTS.disk : null));
}

/** `ignoredMin`: a lower bound of just this value counts as not asked for. */
function bounds(range: Bounds, ignoredMin: number | null): Bounds {
  return ignoredMin !== null && range.min === ignoredMin ? { min: null, max: range.max } : range;
}

function within(value: number, range: Bounds): boolean {
  return (range.min ?? -Infinity) <= value && value <= (range.max ?? Infinity);
}

export function sameWord(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}
