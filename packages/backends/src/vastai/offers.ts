/** Offers of Vast.ai: each is room on the machine of one host, found by a search. */
import type { Requirements } from '@dstack/contract/wire';
import type { Offer } from '@dstack/core';
import { type GpuModel, knownGpus } from '../base/known-gpus.ts';
import { wantedDiskGb } from '../base/wanted-disk.ts';
import type { Contract, MarketAsk, SearchQuery } from './api.ts';

const MIB_PER_GB = 1024;
/** Its gigabytes of memory have so many of its megabytes, as in dstack 0.22.5. */
const MB_PER_GB = 1000;
/** $ per GB and month. */
const HOURS_PER_MONTH = 720;
/** No instance has a smaller disk. */
const LEAST_DISK_GB = 8;
/** The most of one instance, whatever Vast.ai answers. */
const MOST_GPUS = 64;
const MOST_CPUS = 1024;
const MOST_DISK_GB = 1_000_000;
const MOST_MIB = 64 * MIB_PER_GB * MIB_PER_GB;
const MOST_ASKS = 3000;
/** The memory that a GPU reports differs by so much from that of its name. */
const SPARE = 0.1;
const LEAST_RELIABILITY = 0.9;
const DECIMALS = 1e5;

/** Fields of offers beside those of all clouds. */
interface AskData {
  /** USD per GB and hour. */
  readonly disk_price: number;
  readonly reliability: number;
  readonly score: number;
  /** USD per hour, without the disk; only of spot offers. */
  readonly min_bid?: number;
}

/** Those of dstack 0.22.5, but not its open port: agents connect to the server. */
export function searchQuery(hasCommunity: boolean): SearchQuery {
  return {
    ...{ verified: { eq: true }, rentable: { eq: true }, rented: { eq: false } },
    ...{ inet_down: { gt: 128 }, cuda_max_good: { gte: 12.8 }, compute_cap: { gte: 600 } },
    cpu_arch: { eq: 'amd64' },
    ...(!hasCommunity && { datacenter: { eq: true } }),
    ...{ type: 'ondemand', order: [['score', 'desc']], limit: MOST_ASKS },
  };
}

/** On demand, and as spot where a bid is taken. Prices are without the disk, which `withDisk` adds. */
export function vastaiOffers(
  asks: readonly MarketAsk[],
  regions: readonly string[] | null,
): readonly Offer[] {
  const wanted = regions?.map((region) => region.toLowerCase()) ?? null;
  return asks.flatMap((ask) => {
    const region = regionOf(ask.geolocation);
    // A whole country is a region too.
    const isWanted = wanted?.some((one) => region === one || region.startsWith(`${one}-`)) ?? true;
    return isWanted ? offersOf(ask, region) : [];
  });
}

function offersOf(ask: MarketAsk, region: string): readonly Offer[] {
  if (!isSound(ask)) return [];
  const { cpus, memory_mib } = shareOf(ask);
  const gpus = gpusOf(ask);
  const { id, dph_base, min_bid, storage_cost, disk_space, rented } = ask;
  // Without a price it would look free, and it is charged all the same.
  const isWhole = cpus >= 1 && memory_mib > 0 && dph_base > 0 && storage_cost >= 0;
  if (!isWhole || gpus === null || rented === true || !(disk_space >= LEAST_DISK_GB)) return [];
  const disk = { size_mib: Math.floor(Math.min(MOST_DISK_GB, disk_space)) * MIB_PER_GB };
  const data: AskData = {
    disk_price: rounded(storage_cost / HOURS_PER_MONTH, 1e9),
    reliability: ask.reliability2 ?? 0,
    score: ask.score ?? 0,
  };
  const offer = (price: number, spot: boolean, more: Partial<AskData> = {}): Offer => ({
    instance: {
      name: String(id),
      resources: { cpus, memory_mib, gpus, spot, disk, description: '', cpu_arch: 'x86' },
    },
    ...{ backend: 'vastai', region, price: rounded(price), backend_data: { ...data, ...more } },
    ...{ availability: 'available', availability_zones: null, instance_runtime: 'runner' },
    ...{ blocks: 1, total_blocks: 1 },
  });
  const least = quantityOf(min_bid);
  const spot = least > 0 ? [offer(least, true, { min_bid: least })] : [];
  return [offer(dph_base, false), ...spot];
}

/** Whether what offers are made of has the documented types. */
function isSound({ id, dph_base, storage_cost, disk_space, reliability2, score }: MarketAsk) {
  const numbers = [id, dph_base, storage_cost, disk_space, reliability2 ?? 0, score ?? 0];
  return numbers.every((one) => Number.isFinite(one));
}

/** Prices are sent as short floats. */
const rounded = (price: number, decimals = DECIMALS): number =>
  Math.round(price * decimals) / decimals;

/** The share of an instance in the processors and the memory of its machine. */
export function shareOf(one: Pick<Contract, 'cpu_cores' | 'cpu_cores_effective' | 'cpu_ram'>) {
  const [all, own, ram] = [one.cpu_cores, one.cpu_cores_effective, one.cpu_ram].map(quantityOf);
  if (!all || !own || !ram) return { cpus: 0, memory_mib: 0 };
  const memory = (ram * Math.min(1, own / all) * MIB_PER_GB) / MB_PER_GB;
  return {
    cpus: Math.floor(Math.min(MOST_CPUS, own)),
    memory_mib: Math.round(Math.min(MOST_MIB, memory)),
  };
}

/** 0: it is not known, or no number. */
export const quantityOf = (value: unknown): number =>
  typeof value === 'number' && Number.isFinite(value) && value > 0 ? value : 0;

/** Null: they are of a kind that is not known. */
export function gpusOf(
  one: Pick<Contract, 'gpu_name' | 'num_gpus' | 'gpu_ram'>,
): GpuModel[] | null {
  const count = Math.floor(Math.min(MOST_GPUS, quantityOf(one.num_gpus)));
  if (count < 1) return [];
  const models = knownGpus({ vendor: 'nvidia', name: gpuName(String(one.gpu_name)) });
  const [first] = models;
  if (first === undefined) return null;
  const mib = Math.min(MOST_MIB, quantityOf(one.gpu_ram)) || first.memory_mib;
  const isLike = ({ memory_mib }: GpuModel) => Math.abs(memory_mib - mib) <= SPARE * memory_mib;
  const model = models.find(isLike) ?? { ...first, memory_mib: Math.round(mib) };
  return Array.from({ length: count }, () => model);
}

/** Its names by those that requirements use, as in dstack 0.22.5; `S` is its short form of `SUPER`. */
function gpuName(name: string): string {
  const words = name.replace('RTX A', 'A').replace('Tesla ', '').replaceAll('_', ' ');
  const server = /^([ABHLV]|GB|GH)\d+[A-Z]?(?= |$)/.exec(words)?.[0];
  if (server !== undefined) return / NVL$/.test(words) ? `${server}NVL` : server;
  const plain = words.replaceAll(' ', '');
  if (plain.startsWith('RTXPRO')) return /^RTXPRO\d+/.exec(plain)?.[0] ?? plain;
  return plain.replace(/^(RTX\d{4})S(Ti)?$/, (_, base: string, ti = '') => `${base}${ti}SUPER`);
}

/** `California, US` → `us-california`, as in dstack 0.22.5. */
export function regionOf(location: unknown): string {
  if (typeof location !== 'string') return '';
  const parts = location.split(',').map((part) => part.trim());
  const [city, country] = parts;
  const text = parts.length === 2 ? `${country}-${city}` : location;
  return text.toLowerCase().replaceAll(' ', '');
}

/** The disk has the size that is asked for, and costs money. */
export function withDisk(offer: Offer, requirements: Requirements): Offer {
  const { disk } = offer.instance.resources;
  const gb = Math.max(LEAST_DISK_GB, Math.ceil(wantedDiskGb(requirements)));
  return withDiskOf(offer, Math.min(disk.size_mib, gb * MIB_PER_GB));
}

/** `size`: MiB. */
export function withDiskOf(offer: Offer, size: number): Offer {
  const { instance, price } = offer;
  const { resources } = instance;
  const gb = size / MIB_PER_GB;
  return {
    ...offer,
    price: rounded(price + gb * (askDataOf(offer)?.disk_price ?? 0)),
    instance: { ...instance, resources: { ...resources, disk: { size_mib: Math.round(size) } } },
  };
}

/** Whether the machine is as good as the run requests in `backend_options`. */
export function isGoodEnough(offer: Offer, { backend_options: all }: Requirements): boolean {
  const options = all?.find(({ type }) => type === 'vastai');
  const { reliability = 0, score = 0 } = askDataOf(offer) ?? {};
  if (reliability < (options?.min_reliability ?? LEAST_RELIABILITY)) return false;
  return options?.min_score == null || score >= options.min_score;
}

/** Its score weighs the performance of a machine against its price; null = the price alone counts. */
export function rankedByScore(
  offers: readonly Offer[],
  { backend_options: all }: Requirements,
): readonly Offer[] | null {
  if (all?.find(({ type }) => type === 'vastai')?.offer_order === 'price') return null;
  const scoreOf = (offer: Offer) => askDataOf(offer)?.score ?? 0;
  return offers.toSorted((a, b) => scoreOf(b) - scoreOf(a) || a.price - b.price);
}

export function askDataOf({ backend_data: data }: Offer): Partial<AskData> | null {
  return typeof data === 'object' && data !== null ? (data as Partial<AskData>) : null;
}
