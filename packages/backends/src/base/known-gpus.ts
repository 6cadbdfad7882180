import { KNOWN_GPU_NAMES } from '@dstack/contract';
import type { Resources } from '@dstack/contract/wire';

export type GpuModel = Resources['gpus'][number];
type Vendor = keyof typeof KNOWN_GPU_NAMES;

const MIB_PER_GIB = 1024;

/** GiB of each variant, by name in lower case (the table of gpuhunt 0.1.34). */
const VARIANTS: ReadonlyMap<string, readonly number[]> = new Map(
  `A10 24, A16 16, A40 48, A100 40 80, A10G 24, A4000 16, A4500 20, A5000 24, A6000 48, H100 80,
  H100NVL 94, H200 141, H200NVL 141, B200 180, GB200 186, B300 270, GB300 270, L4 24, L40 48,
  L40S 48, P100 16, RTX2060 6 12, RTX2060SUPER 8, RTX2070 8, RTX2070SUPER 8, RTX2080 8,
  RTX2080SUPER 8, RTX2080Ti 11, RTX3050 6 8, RTX3060 8 12, RTX3060Ti 8, RTX3070 8, RTX3070Ti 8,
  RTX3080 10, RTX3080Ti 12, RTX3090 24, RTX3090Ti 24, RTX4060 8, RTX4060Ti 8 16, RTX4070 12,
  RTX4070SUPER 12, RTX4070Ti 12, RTX4070TiSUPER 16, RTX4080 16, RTX4080SUPER 16, RTX4090 24,
  RTX5060 8, RTX5060Ti 8 16, RTX5070 12, RTX5070Ti 16, RTX5080 16, RTX5090 32, RTX6000 24,
  RTX2000Ada 16, RTX4000Ada 20, RTX6000Ada 48, RTXPRO4500 32, RTXPRO6000 96, T4 16, V100 16 32,
  GH200 96, MI100 32, MI210 64, MI250 128, MI250X 128, MI300A 128, MI300X 192, MI308X 128,
  MI325X 288, MI350X 288, MI355X 288, Gaudi 32, Gaudi2 96, Gaudi3 128, n150 12, n300 24,
  tt-galaxy-wh 12, p100a 28, p150 32, p300 32 64, tt-galaxy-bh 32`
    .split(',')
    .map((entry) => {
      const [name = '', ...sizes] = entry.trim().split(' ');
      return [name.toLowerCase(), sizes.map(Number)];
    }),
);

export interface GpuQuestion {
  readonly vendor?: string | undefined;
  /** In any case. */
  readonly name: string;
  readonly memoryMib?: number | undefined;
}

/** All variants of known GPUs that fit the question. */
export function knownGpus({ vendor, name, memoryMib }: GpuQuestion): readonly GpuModel[] {
  const wanted = name.toLowerCase();
  return (Object.keys(KNOWN_GPU_NAMES) as Vendor[])
    .filter((maker) => vendor === undefined || vendor === maker)
    .flatMap((maker) =>
      KNOWN_GPU_NAMES[maker]
        .filter((known) => known.toLowerCase() === wanted)
        .flatMap((known) => variantsOf(maker, known)),
    )
    .filter((gpu) => memoryMib === undefined || gpu.memory_mib === memoryMib);
}

/** The variant with the most memory, for nodes that do not report theirs; null = the name is unknown. */
export function largestKnownGpu(vendor: Vendor, name: string): GpuModel | null {
  const [first, ...others] = knownGpus({ vendor, name });
  if (!first) return null;
  return others.reduce((a, b) => (b.memory_mib > a.memory_mib ? b : a), first);
}

const variantsOf = (vendor: Vendor, name: string): readonly GpuModel[] =>
  (VARIANTS.get(name.toLowerCase()) ?? []).map((gib) => ({
    vendor,
    name,
    memory_mib: gib * MIB_PER_GIB,
  }));
