/** Offers of Verda: its types with both prices, and where each can be ordered now. */
import type { Offer } from '@dstack/core';
import { type GpuModel, knownGpus } from '../base/known-gpus.ts';
import type { Hardware, LocationAvailability, VerdaType } from './api.ts';

const MIB_PER_GIB = 1024;

/** By the beginnings of descriptions, as gpuhunt 0.1.34 has them; other GPUs are left out. */
const GPUS: readonly (readonly [RegExp, string])[] = [
  [/^B300\b/, 'B300'],
  [/^B200\b/, 'B200'],
  [/^H200\b/, 'H200'],
  [/^H100\b/, 'H100'],
  [/^A100\b/, 'A100'],
  [/^RTX ?6000 ?Ada\b/i, 'RTX6000Ada'],
  [/^RTX PRO 6000\b/i, 'RTXPRO6000'],
  [/^RTX A6000\b/, 'A6000'],
  [/^(?:Tesla )?V100\b/, 'V100'],
  [/^L40S\b/, 'L40S'],
];
/** Ubuntu with drivers and Docker, such as `ubuntu-24.04-cuda-13.0-open-docker`. */
const IMAGE = /^ubuntu-(\d+)\.(\d+)-cuda-(\d+)\.(\d+)(?:-open)?-docker$/;
/** The images of dstack 0.22.5: Ubuntu 22.04 with CUDA 12.0 for GPUs that newer ones do not know, and 24.04 with 13.0. */
const OLD_IMAGE = '2088da25-bb0d-41cc-a191-dccae45d96fd';
const NEW_IMAGE = '2404f580-1300-1111-82b3-f199fb9b701b';
const OLD_GPUS: readonly string[] = ['V100', 'A6000'];

export interface VerdaMarket {
  readonly types: readonly VerdaType[];
  readonly onDemand: readonly LocationAvailability[];
  readonly spot: readonly LocationAvailability[];
  /** All of the provider. */
  readonly locations: readonly string[];
  /** Those that the configuration allows; null = all. */
  readonly regions: readonly string[] | null;
}

export function verdaOffers(type: 'verda' | 'datacrunch', market: VerdaMarket): readonly Offer[] {
  const { types, onDemand, spot, locations, regions } = market;
  const wanted = regions && new Set(regions.map((region) => region.toLowerCase()));
  const kinds = [
    { isSpot: false, sold: soldIn(onDemand) },
    { isSpot: true, sold: soldIn(spot) },
  ];
  const places = new Set([...locations, ...kinds.flatMap(({ sold }) => [...sold.keys()])]);
  const open = [...places].filter((place) => wanted === null || wanted.has(place.toLowerCase()));
  return types.flatMap((one) =>
    kinds.flatMap(({ isSpot, sold }): Offer[] => {
      const instance = instanceOf(one, isSpot);
      const price = Number((isSpot ? one.spot_price : one.price_per_hour) ?? 0);
      if (instance === null || !(price > 0)) return [];
      const image = imageOf(one, instance);
      return open.map((region) => ({
        ...{ backend: type, instance, region, price, backend_data: { image } },
        availability: sold.get(region)?.has(instance.name) ? 'available' : 'not_available',
        ...{ availability_zones: null, instance_runtime: 'shim', blocks: 1, total_blocks: 1 },
      }));
    }),
  );
}

const soldIn = (places: readonly LocationAvailability[]) =>
  new Map(places.map(({ location_code: at, availabilities }) => [at, new Set(availabilities)]));

/** Without its disk, which is sold in any size. Null: its GPU is of a kind that is not known. */
export function instanceOf(hardware: Hardware, spot: boolean): Offer['instance'] | null {
  const { instance_type: name, cpu, memory } = hardware;
  const gpus = gpusOf(hardware);
  if (gpus === null) return null;
  const memory_mib = memory.size_in_gigabytes * MIB_PER_GIB;
  const resources = { cpus: cpu.number_of_cores, memory_mib, spot, description: '' };
  return {
    name,
    resources: { ...resources, gpus: [...gpus], disk: { size_mib: 0 }, cpu_arch: 'x86' },
  };
}

function gpusOf({ gpu, gpu_memory: all }: Hardware): readonly GpuModel[] | null {
  const count = gpu?.number_of_gpus ?? 0;
  if (count === 0) return [];
  const own = (gpu?.description ?? '').replace(/^\d+x /, '');
  const [, name = ''] = GPUS.find(([pattern]) => pattern.test(own)) ?? [];
  const [known] = knownGpus({ name });
  if (known === undefined) return null;
  const gib = Math.floor((all?.size_in_gigabytes ?? 0) / count);
  const memory_mib = gib > 0 ? gib * MIB_PER_GIB : known.memory_mib;
  return Array.from({ length: count }, () => ({ ...known, memory_mib }));
}

/** The newest that the type supports, by its name; else that of dstack 0.22.5, by its id. */
function imageOf({ supported_os: supported }: VerdaType, { resources }: Offer['instance']) {
  const [newest] = (supported ?? [])
    .flatMap((name) => {
      const versions = IMAGE.exec(name)?.slice(1).map(Number);
      return versions ? [{ name, versions }] : [];
    })
    .toSorted((a, b) => compared(b.versions, a.versions));
  if (newest) return newest.name;
  return OLD_GPUS.includes(resources.gpus[0]?.name ?? '') ? OLD_IMAGE : NEW_IMAGE;
}

function compared(a: readonly number[], b: readonly number[]): number {
  const at = a.findIndex((part, index) => part !== b[index]);
  return at < 0 ? 0 : (a[at] ?? 0) - (b[at] ?? 0);
}
