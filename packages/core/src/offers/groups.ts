import type { BackendName, Offer } from '../model/index.ts';
import { isAvailableOffer } from './availability.ts';

export type GroupKey = 'backend' | 'region' | 'count';

interface Range {
  min: number;
  max: number;
}

/** Keys of a row that depend on how it was grouped; absent ones are left out of the answer. */
interface Where {
  backends?: BackendName[];
  backend?: BackendName;
  regions?: string[];
  region?: string;
}

interface Row extends Where {
  count: Range;
  price: Range;
  availability: Offer['availability'][];
  spot: ('spot' | 'on-demand')[];
}

/** The same as the wire's `GpuGroup`, except for the names of backends. */
export interface GpuRow extends Row {
  name: string;
  memory_mib: number;
  vendor: NonNullable<Offer['instance']['resources']['gpus'][number]['vendor']>;
  offer_price: Range;
}

/** The same as the wire's `CpuGroup`, except for the names of backends. */
export interface CpuRow extends Row {
  cpu_arch: ('x86' | 'arm')[];
  memory_mib: Range;
}

export interface GroupOptions {
  readonly groupBy: readonly GroupKey[];
  readonly reverse?: boolean;
}

/** Why a grouping is refused (HTTP 400), or null. */
export function groupByError(groupBy: readonly GroupKey[]): string | null {
  if (!groupBy.includes('region') || groupBy.includes('backend')) return null;
  return "Cannot group by 'region' without also grouping by 'backend'";
}

/** Offers with GPUs by device (`gpus/list`): `price` per GPU, `offer_price` of the whole offer. */
export function groupGpus(offers: readonly Offer[], options: GroupOptions): GpuRow[] {
  const regions = regionsByBackend(offers);
  const rows = new Map<string, GpuRow>();
  for (const offer of distinct(offers)) {
    const [gpu] = offer.instance.resources.gpus;
    if (!gpu) continue;
    const count = offer.instance.resources.gpus.length;
    const vendor = gpu.vendor ?? 'nvidia';
    const key = rowKey([gpu.name, gpu.memory_mib, vendor], offer, count, options.groupBy);
    const row = rows.get(key) ?? {
      name: gpu.name,
      memory_mib: gpu.memory_mib,
      vendor,
      offer_price: range(offer.price),
      ...emptyRow(offer, count, offer.price / count, options.groupBy, regions),
    };
    widen(row, offer, count, offer.price / count);
    stretch(row.offer_price, offer.price);
    rows.set(key, row);
  }
  const by = options.reverse ? (row: GpuRow) => row.offer_price : (row: GpuRow) => row.price;
  const byCount = options.groupBy.includes('count');
  const rest = (row: GpuRow) => [byCount ? row.count.min : 0, row.name, row.memory_mib];
  return sorted([...rows.values()], by, options.reverse ?? false, rest);
}

/** Offers without a GPU by number of CPUs (`gpus/list` of a run without GPUs). */
export function groupCpus(offers: readonly Offer[], options: GroupOptions): CpuRow[] {
  const regions = regionsByBackend(offers);
  const rows = new Map<string, CpuRow>();
  for (const offer of offers) {
    const { cpus, memory_mib, cpu_arch: arch, gpus } = offer.instance.resources;
    if (gpus.length > 0) continue;
    const key = rowKey([], offer, cpus, options.groupBy);
    const row = rows.get(key) ?? {
      cpu_arch: [],
      memory_mib: range(memory_mib),
      ...emptyRow(offer, cpus, offer.price, options.groupBy, regions),
    };
    widen(row, offer, cpus, offer.price);
    stretch(row.memory_mib, memory_mib);
    if (arch) row.cpu_arch = [...addOnce(row.cpu_arch, arch)].sort();
    rows.set(key, row);
  }
  return sorted(
    [...rows.values()],
    (row) => row.price,
    options.reverse ?? false,
    (row) => [row.count.min],
  );
}

/** Per backend the first of the offers that look alike in a group. */
function distinct(offers: readonly Offer[]): Offer[] {
  const seen = new Set<string>();
  const first = offers.filter((offer) => {
    const { gpus, spot } = offer.instance.resources;
    const gpu = gpus[0];
    const key = [
      offer.backend,
      gpu?.name,
      gpu?.memory_mib,
      gpu?.vendor,
      gpus.length,
      spot,
      offer.region,
    ].join('|');
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
  return first;
}

function regionsByBackend(offers: readonly Offer[]): Map<BackendName, string[]> {
  const regions = new Map<BackendName, string[]>();
  for (const offer of offers) {
    regions.set(offer.backend, addOnce(regions.get(offer.backend) ?? [], offer.region));
  }
  for (const list of regions.values()) list.sort();
  return regions;
}

function rowKey(
  own: readonly unknown[],
  offer: Offer,
  count: number,
  groupBy: readonly GroupKey[],
): string {
  const parts = { backend: offer.backend, region: offer.region, count };
  return JSON.stringify([...own, ...groupBy.map((key) => parts[key])]);
}

function emptyRow(
  offer: Offer,
  count: number,
  price: number,
  groupBy: readonly GroupKey[],
  regions: ReadonlyMap<BackendName, string[]>,
): Row {
  const row: Row = { count: range(count), price: range(price), availability: [], spot: [] };
  if (!groupBy.includes('backend')) return { ...row, backends: [] };
  const { backend, region } = offer;
  if (groupBy.includes('region')) return { ...row, backend, region };
  return { ...row, backend, regions: regions.get(backend) ?? [] };
}

function widen(row: Row, offer: Offer, count: number, price: number): void {
  stretch(row.count, count);
  stretch(row.price, price);
  row.availability = addOnce(row.availability, offer.availability);
  row.spot = addOnce(row.spot, offer.instance.resources.spot ? 'spot' : 'on-demand');
  if (row.backends) row.backends = addOnce(row.backends, offer.backend);
}

function sorted<R extends Row>(
  rows: R[],
  price: (row: R) => Range,
  reverse: boolean,
  rest: (row: R) => (string | number)[],
): R[] {
  const sign = reverse ? -1 : 1;
  const unavailable = (row: R): number =>
    row.availability.some((availability) => isAvailableOffer({ availability })) ? 0 : 1;
  const where = (row: R) => [row.backend ?? '', row.region ?? '', ...rest(row)];
  return rows.sort(
    (a, b) =>
      unavailable(a) - unavailable(b) ||
      sign * compare([price(a).min, price(a).max], [price(b).min, price(b).max]) ||
      compare(where(a), where(b)),
  );
}

function compare(a: readonly (string | number)[], b: readonly (string | number)[]): number {
  for (const [index, left] of a.entries()) {
    const right = b[index] ?? left;
    if (left !== right) return left < right ? -1 : 1;
  }
  return 0;
}

function range(value: number): Range {
  return { min: value, max: value };
}

function stretch(into: Range, value: number): void {
  into.min = Math.min(into.min, value);
  into.max = Math.max(into.max, value);
}

function addOnce<T>(list: readonly T[], item: T): T[] {
  return list.includes(item) ? [...list] : [...list, item];
}
