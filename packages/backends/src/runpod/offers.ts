/** Offers of RunPod: its catalogue has prices, and where pods of a type can be placed now. */
import type { Requirements } from '@dstack/contract/wire';
import type { Offer } from '@dstack/core';
import { type GpuModel, knownGpus } from '../base/known-gpus.ts';
import { wantedDiskGb } from '../base/wanted-disk.ts';
import type { CatalogItem } from '../catalog/catalog.ts';
import type { CpuType, GpuType, InDataCenter } from './api.ts';

const MIB_PER_GB = 1024;
/** The share of each GPU where a type is in no catalogue; orders require it of the host. */
const LEAST_CPUS = 4;
/** The disk that pods without GPUs get. */
const DISK_GB_PER_CPU = 10;
/** The most of one pod, whatever RunPod answers. */
export const MOST_GPUS = 64;
const MOST_CPUS = 1024;

export interface OffersQuestion {
  /** For 1, 2, 4 and 8 GPUs. */
  readonly gpus: ReadonlyMap<number, readonly GpuType[]>;
  readonly cpus: readonly CpuType[];
  /** The regions of the configuration; null = all. */
  readonly regions: readonly string[] | null;
  /** The catalogue's list, for the sizes of hosts, which the API does not report. */
  readonly listed: readonly CatalogItem[];
}

export function runpodOffers(question: OffersQuestion): readonly Offer[] {
  const { regions } = question;
  const wanted = regions && new Set(regions.map((region) => region.toLowerCase()));
  const offers = [...gpuOffers(question), ...cpuOffers(question)];
  return offers.filter(({ region }) => wanted === null || wanted.has(region.toLowerCase()));
}

function gpuOffers({ gpus, listed }: OffersQuestion): readonly Offer[] {
  const types = gpus.get(1) ?? [];
  return types.flatMap((type) => {
    const model = gpuModel(type);
    const one = type.price?.secure ?? 0;
    if (model === null || !type.secure || !(one > 0)) return [];
    const share = shareOf(type, listed);
    const most = Math.min(MOST_GPUS, type.maxCount.secure);
    const counts = Array.from({ length: most }, (_, index) => index + 1);
    return counts.flatMap((count) => {
      const instance = gpuInstance({ id: type.id, count, model, share });
      const price = count * one;
      return placesOf(type.id, count, gpus, knownRegions(type.id, listed)).map((place) =>
        offerOf(instance, price, place),
      );
    });
  });
}

interface Place {
  readonly region: string;
  readonly availability: Offer['availability'];
}

/** Between two counts that were asked for, the larger decides; if only the smaller has room, it is unknown. */
function placesOf(
  id: string,
  count: number,
  gpus: OffersQuestion['gpus'],
  known: readonly string[],
): readonly Place[] {
  const asked = [...gpus.keys()].sort((a, b) => a - b);
  const roomFor = (size: number | undefined) =>
    new Set(
      (gpus.get(size ?? 0)?.find((type) => type.id === id)?.dataCenters ?? [])
        .filter(isOpen)
        .map((place) => place.id),
    );
  const larger = roomFor(asked.find((size) => size >= count));
  const smaller = roomFor(asked.findLast((size) => size <= count));
  return [...new Set([...larger, ...smaller, ...known])].map((region) => ({
    region,
    availability: larger.has(region)
      ? 'available'
      : smaller.has(region)
        ? 'unknown'
        : 'not_available',
  }));
}

const isOpen = ({ availability }: InDataCenter): boolean => availability !== 'NONE';

/** Where a type is usually sold: without room it is shown there as not available. */
function knownRegions(name: string, listed: readonly CatalogItem[]): readonly string[] {
  return listed.filter(({ instanceName }) => instanceName === name).map(({ location }) => location);
}

interface Share {
  readonly cpus: number;
  readonly memoryGb: number;
}

/** The part of the host that belongs to one GPU. */
function shareOf(
  { id, memory }: Pick<GpuType, 'id' | 'memory'>,
  listed: readonly CatalogItem[],
): Share {
  const same = listed.find(({ instanceName, gpuCount }) => instanceName === id && gpuCount > 0);
  if (same === undefined) return { cpus: LEAST_CPUS, memoryGb: memory };
  return {
    cpus: Math.floor(same.cpus / same.gpuCount),
    memoryGb: Math.floor(same.memoryGb / same.gpuCount),
  };
}

interface GpuPod {
  readonly id: string;
  readonly count: number;
  readonly model: GpuModel;
  readonly share: Share;
}

function gpuInstance({ id, count, model, share }: GpuPod): Offer['instance'] {
  return {
    name: id,
    resources: {
      cpus: count * share.cpus,
      memory_mib: Math.round(count * share.memoryGb * MIB_PER_GB),
      gpus: Array.from({ length: count }, () => model),
      ...{ spot: false, disk: { size_mib: 0 }, cpu_arch: 'x86', description: '' },
    },
  };
}

function cpuOffers({ cpus, listed }: OffersQuestion): readonly Offer[] {
  return cpus.flatMap(({ id, vcpu, ramGbPerVcpu, price, dataCenters = [] }) => {
    const one = price?.securePerVcpu ?? 0;
    // Without a price it would look free, and it is charged all the same.
    if (!(one > 0)) return [];
    return powersOfTwo(vcpu.min, Math.min(MOST_CPUS, vcpu.max)).flatMap((count) => {
      const instance = cpuInstance(id, count, Math.floor(count * ramGbPerVcpu));
      const open = new Set(dataCenters.filter(isOpen).map((place) => place.id));
      const regions = new Set([...open, ...knownRegions(instance.name, listed)]);
      return [...regions].map((region) =>
        offerOf(instance, count * one, {
          region,
          availability: open.has(region) ? 'available' : 'not_available',
        }),
      );
    });
  });
}

export function cpuInstance(flavour: string, cpus: number, memoryGb: number): Offer['instance'] {
  return {
    name: `${flavour}-${cpus}-${memoryGb}`,
    resources: {
      ...{ cpus, memory_mib: memoryGb * MIB_PER_GB, gpus: [], spot: false, description: '' },
      ...{ disk: { size_mib: cpus * DISK_GB_PER_CPU * MIB_PER_GB }, cpu_arch: 'x86' },
    },
  };
}

function powersOfTwo(least: number, most: number): readonly number[] {
  const sizes: number[] = [];
  for (let size = 2; size <= most; size *= 2) if (size >= least) sizes.push(size);
  return sizes;
}

function offerOf(instance: Offer['instance'], price: number, place: Place): Offer {
  return {
    ...{ backend: 'runpod', instance, price: rounded(price), backend_data: {}, ...place },
    ...{ availability_zones: null, instance_runtime: 'shim', blocks: 1, total_blocks: 1 },
  };
}

const DECIMALS = 1e6;

/** Prices are sent as short floats. */
const rounded = (price: number): number => Math.round(price * DECIMALS) / DECIMALS;

/** The disk of a pod has the size that is asked for; one without GPUs has a limit. */
export function withDisk(offer: Offer, requirements: Requirements): Offer {
  const { instance } = offer;
  const { resources } = instance;
  const wanted = wantedDiskGb(requirements) * MIB_PER_GB;
  const isLimited = resources.gpus.length === 0;
  const size = isLimited ? Math.min(wanted, resources.disk.size_mib) : wanted;
  const disk = { size_mib: Math.max(MIB_PER_GB, Math.round(size)) };
  return { ...offer, instance: { ...instance, resources: { ...resources, disk } } };
}

/** Null: it is of a kind that is not known. `name` as in the catalogue, or the id without the maker. */
export function gpuModel({
  manufacturer,
  name,
  memory,
}: Pick<GpuType, 'manufacturer' | 'name' | 'memory'>): GpuModel | null {
  const vendor = manufacturer.toLowerCase();
  if (vendor !== 'nvidia' && vendor !== 'amd') return null;
  const [model] = knownGpus({ vendor, name: vendor === 'amd' ? amdName(name) : nvidiaName(name) });
  return model === undefined ? null : { ...model, memory_mib: memory * MIB_PER_GB };
}

const amdName = (name: string): string => /MI\d{3}[A-Z]?/.exec(name)?.[0] ?? name;

/** `H100 NVL` and `RTX 6000 Ada` have names of their own; slices of a GPU (MIG) are none of them. */
function nvidiaName(name: string): string {
  const words = name.replace(/^(?:GeForce|Tesla) /, '');
  if (/\bMIG\b/.test(words)) return words;
  const server = /^(?:[ABHLV]|GB)\d+S?(?: NVL)?(?=[ -]|$)/.exec(words)?.[0];
  if (server !== undefined) return server.replaceAll(' ', '');
  const workstation = /^RTX (A\d+)/.exec(words)?.[1];
  return workstation ?? words.replace(/ Generation$/, '').replaceAll(' ', '');
}
