/** The needs of each family of machine types in an order. */
import type { Offer } from '@dstack/core';

type Resources = Offer['instance']['resources'];

/** The families of dstack 0.22.5 without GPUs, and those whose types have theirs; others by their GPU. */
const FAMILIES: readonly string[] = [
  ...['m4-', 'c4-', 'n4-', 'h3-', 'n2-', 'e2-medium', 'e2-standard-', 'e2-highmem-'],
  ...['e2-highcpu-', 'm1-', 'a2-', 'a3-', 'g2-'],
];
const OLD_GPUS: ReadonlySet<string> = new Set(['K80', 'P4', 'P100']);

/** GPUs that are attached to a type, by their names; all others are part of the type. */
const ACCELERATORS: Readonly<Record<string, string>> = {
  T4: 'nvidia-tesla-t4',
  V100: 'nvidia-tesla-v100',
  B200: 'nvidia-b200',
  RTXPRO6000: 'nvidia-rtx-pro-6000',
};

/** Names that Google's quotas have for GPUs; those of others have the name of the GPU. */
const QUOTAS: Readonly<Record<string, string>> = { 'A100 80': 'A100_80GB' };
/** Google counts them in another way. */
const UNCOUNTED: ReadonlySet<string> = new Set(['H100', 'H200', 'B200', 'RTXPRO6000']);

/** Families that boot from no other disks than these. */
const HYPERDISK = /^(?:m4|c4|n4|h3|a4|g4)-/;
const GVNIC = /^(?:a3|a4|g4)-/;
/** Network interfaces besides the first one, as by dstack 0.22.5. */
const EXTRA_INTERFACES: readonly (readonly [RegExp, number])[] = [
  [/^a3-megagpu-/, 8],
  [/^a3-(?:edge|high)gpu-8g$/, 4],
  [/^a4-highgpu-/, 1],
];

const MIB_PER_GIB = 1024;

export function isTpu({ gpus }: Pick<Resources, 'gpus'>): boolean {
  return gpus[0]?.vendor === 'google';
}

export function isSupported(type: string, gpuName: string | null): boolean {
  const isKnown = FAMILIES.some((family) => type.startsWith(family));
  return isKnown || (gpuName !== null && !OLD_GPUS.has(gpuName));
}

/** The accelerator to attach; null = none, or it is part of the type. */
export function acceleratorOf({ gpus }: Pick<Resources, 'gpus'>): {
  readonly name: string;
  readonly count: number;
} | null {
  const [first] = gpus;
  const name = first && ACCELERATORS[first.name];
  return name === undefined ? null : { name, count: gpus.length };
}

/** Google's name of the quota that counts its GPUs; null = none does. */
export function quotaMetric({ gpus, spot }: Pick<Resources, 'gpus' | 'spot'>): string | null {
  const [first] = gpus;
  if (first === undefined || first.vendor !== 'nvidia' || UNCOUNTED.has(first.name)) return null;
  const gib = Math.round(first.memory_mib / MIB_PER_GIB);
  const name = QUOTAS[`${first.name} ${gib}`] ?? first.name;
  return `${spot ? 'PREEMPTIBLE_' : ''}NVIDIA_${name.toUpperCase()}_GPUS`;
}

export function diskTypeOf(type: string): string {
  return HYPERDISK.test(type) ? 'hyperdisk-balanced' : 'pd-balanced';
}

/** Whether volumes, which are of the type pd-balanced, can be attached to it. */
export function takesVolumes(type: string): boolean {
  return !HYPERDISK.test(type);
}

/** Null: Google chooses. */
export function nicTypeOf(type: string): 'GVNIC' | null {
  return GVNIC.test(type) ? 'GVNIC' : null;
}

/** Interfaces that it can have besides the first one, each in a network of its own. */
export function extraInterfacesOf(type: string): number {
  return EXTRA_INTERFACES.find(([pattern]) => pattern.test(type))?.[1] ?? 0;
}

/**
 * The image to boot from. Without GPUs it is Canonical's newest, to which the user data adds Docker; those with drivers
 * are of dstack 0.22.5, and public.
 */
export function imageOf({ name, resources }: Offer['instance']): string {
  if (resources.gpus.length === 0) {
    const arch = resources.cpu_arch === 'arm' ? 'arm64' : 'amd64';
    return `projects/ubuntu-os-cloud/global/images/family/ubuntu-2404-lts-${arch}`;
  }
  return `projects/dstack/global/images/${driverImage(name, resources.gpus[0]?.name ?? '')}`;
}

function driverImage(type: string, gpu: string): string {
  if (type.startsWith('a3-megagpu-')) return 'dstack-a3mega-5';
  // The last one whose driver has closed kernel modules.
  return gpu === 'V100' ? 'dstack-cuda-0-10' : 'dstack-cuda-0-14';
}
