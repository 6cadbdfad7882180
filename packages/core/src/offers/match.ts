import type { Requirements } from '@dstack/contract/wire';
import { isServerHost } from '../capabilities/capabilities.ts';
import type { Offer } from '../model/index.ts';
import { computeCapabilityOf } from './accelerators.ts';

/** A requirement that an offer can fail, named as in configurations. */
export type RequirementName = 'spot' | 'max_price' | 'cpu' | 'cpu.arch' | 'memory' | 'disk' | 'gpu';

interface Bounds {
  readonly min: number | null;
  readonly max: number | null;
}

/** Lower bounds that the language sets by default: CPUs, memory GB, disk GB. */
export const LANGUAGE_DEFAULTS = { cpu: 2, memory: 8, disk: 100 } as const;

const MIB_PER_GB = 1024;

/** Whether the offer, or the share of a machine that it describes, satisfies the requirements. */
export function requirementsMatch(requirements: Requirements, offer: Offer): boolean {
  return firstMismatch(requirements, offer) === null;
}

type Fails = (requirements: Requirements, offer: Offer) => boolean;

/**
 * In the order of the wire's matching rules. The language's default lower bounds exclude no machine
 * of the `local` backend: it is the only one, and the user did not request these bounds.
 */
const CHECKS: readonly (readonly [RequirementName, Fails])[] = [
  ['max_price', ({ max_price }, offer) => max_price != null && offer.price > max_price],
  ['spot', ({ spot }, offer) => spot != null && offer.instance.resources.spot !== spot],
  [
    'cpu.arch',
    ({ resources: { cpu } }, { instance: { resources: machine } }) =>
      Boolean(cpu.arch && machine.cpu_arch && cpu.arch !== machine.cpu_arch),
  ],
  [
    'cpu',
    ({ resources }, offer) =>
      !within(offer.instance.resources.cpus, boundsFor(offer, 'cpu', resources.cpu.count)),
  ],
  [
    'memory',
    ({ resources }, offer) =>
      !sizeWithin(
        offer.instance.resources.memory_mib,
        boundsFor(offer, 'memory', resources.memory),
      ),
  ],
  [
    'gpu',
    ({ resources: { gpu } }, offer) =>
      Boolean(gpu) && !gpusMatch(gpu as GpuRequirement, offer.instance.resources.gpus),
  ],
  ['disk', ({ resources }, offer) => !diskMatches(resources.disk, offer)],
];

/** The first requirement the offer fails, or null. */
export function firstMismatch(requirements: Requirements, offer: Offer): RequirementName | null {
  for (const [name, fails] of CHECKS) if (fails(requirements, offer)) return name;
  return null;
}

/** Every requirement the offer fails. */
export function allMismatches(requirements: Requirements, offer: Offer): RequirementName[] {
  return CHECKS.filter(([, fails]) => fails(requirements, offer)).map(([name]) => name);
}

type GpuRequirement = NonNullable<Requirements['resources']['gpu']>;
type Gpus = Offer['instance']['resources']['gpus'];

/**
 * A machine without GPUs passes if the job needs none, whatever else the specification contains.
 */
function gpusMatch(wanted: GpuRequirement, gpus: Gpus): boolean {
  const first = gpus[0];
  if (!first && (wanted.count.min ?? 0) <= 0) return true;
  if (!within(gpus.length, wanted.count)) return false;
  if (wanted.vendor && vendorOf(first) !== wanted.vendor) return false;
  if (wanted.name && !wanted.name.some((name) => equalsIgnoringCase(name, first?.name ?? '')))
    return false;
  if (wanted.compute_capability && !isCapable(first, wanted.compute_capability)) return false;
  const perGpu = first?.memory_mib ?? 0;
  if (wanted.memory && !sizeWithin(perGpu, wanted.memory)) return false;
  return !wanted.total_memory || sizeWithin(perGpu * gpus.length, wanted.total_memory);
}

/** The wire omits the vendor if it is NVIDIA. */
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
function diskMatches(disk: Requirements['resources']['disk'], offer: Offer): boolean {
  const sizeMib = offer.instance.resources.disk?.size_mib ?? 0;
  if (!disk || sizeMib === 0) return true;
  return sizeWithin(sizeMib, boundsFor(offer, 'disk', disk.size));
}

/**
 * On the server host, a lower bound that equals the language's default counts as not requested. An exact amount, such as
 * that of `cpu: 2`, is never a default.
 */
function boundsFor(offer: Offer, part: keyof typeof LANGUAGE_DEFAULTS, range: Bounds): Bounds {
  const isDefault = range.min === LANGUAGE_DEFAULTS[part] && range.max !== range.min;
  return isDefault && isServerHost(offer.backend) ? { min: null, max: range.max } : range;
}

function within(value: number, range: Bounds): boolean {
  return (range.min ?? -Infinity) <= value && value <= (range.max ?? Infinity);
}

/** Offers have whole MiB, so a bound such as 0.1 GB includes the whole MiB before and after it. */
function sizeWithin(mib: number, { min, max }: Bounds): boolean {
  return within(mib, {
    min: min === null ? null : Math.floor(min * MIB_PER_GB),
    max: max === null ? null : Math.ceil(max * MIB_PER_GB),
  });
}

export function equalsIgnoringCase(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}
