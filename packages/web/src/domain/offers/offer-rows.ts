import type { CpuGroup, GpuGroup, InstanceAvailability } from '@dstack/contract/wire';
import type { FoundOffers, PlanOffer } from '../../data/offers/offer-queries.ts';
import { mebibytes, pricePerHour } from '../format/quantities.ts';
import { backendText, gpuText, resourcesText } from '../format/resources.ts';
import { offerName } from './offer-name.ts';

/** One row of the list: a group of offers, or one. */
export interface OfferRow {
  readonly id: string;
  readonly name: string;
  /** How many devices an offer has. */
  readonly count: string;
  readonly resources: string;
  readonly backend: string;
  readonly region: string;
  readonly spot: string;
  readonly availability: InstanceAvailability;
  /** USD per hour: of one GPU in groups of GPUs, else of the whole offer. */
  readonly price: string;
  /** To sort by. */
  readonly lowest: number;
}

export function offerGroupRows({ groups, offers }: FoundOffers): readonly OfferRow[] {
  return [
    ...groups.map((group, index) =>
      'name' in group ? gpuRow(group, index) : cpuRow(group, index),
    ),
    ...offers.map(singleRow),
  ];
}

/** The best first: what can be had at once, then what may be. */
const BEST: readonly InstanceAvailability[] = ['idle', 'available', 'unknown', 'busy', 'no_quota'];

function best(all: readonly InstanceAvailability[]): InstanceAvailability {
  return BEST.find((one) => all.includes(one)) ?? all[0] ?? 'unknown';
}

function gpuRow(group: GpuGroup, index: number): OfferRow {
  const memory = group.memory_mib > 0 ? ` ${mebibytes(group.memory_mib)}` : '';
  return {
    id: String(index),
    name: `${group.name}${memory}`,
    count: range(group.count, String),
    resources: '',
    ...placeOf(group),
    spot: spotText(group.spot),
    availability: best(group.availability),
    price: range(knownPrices(group.price), pricePerHour),
    lowest: group.price.min ?? 0,
  };
}

function cpuRow(group: CpuGroup, index: number): OfferRow {
  return {
    id: String(index),
    name: group.cpu_arch.join(', ') || 'CPU',
    count: range(group.count, String),
    resources: range(group.memory_mib, mebibytes),
    ...placeOf(group),
    spot: spotText(group.spot),
    availability: best(group.availability),
    price: range(knownPrices(group.price), pricePerHour),
    lowest: group.price.min ?? 0,
  };
}

function singleRow(offer: PlanOffer, index: number): OfferRow {
  const { resources } = offer.instance;
  const name = offerName(offer);
  const gpus = gpuText(resources);
  return {
    id: String(index),
    name: gpus || name,
    count: String(resources.gpus.length || resources.cpus),
    resources:
      gpus === ''
        ? resourcesText(resources)
        : `${name}, ${resourcesText({ ...resources, gpus: [] })}`,
    backend: backendText(offer.backend, offer.region) ?? '',
    region: offer.hostname ?? offer.region,
    spot: resources.spot ? 'spot' : 'on-demand',
    availability: offer.availability,
    price: pricePerHour(offer.price),
    lowest: offer.price,
  };
}

function placeOf(group: GpuGroup | CpuGroup): Pick<OfferRow, 'backend' | 'region'> {
  const regions = group.region === undefined ? (group.regions ?? []) : [group.region];
  const backends = group.backend === undefined ? (group.backends ?? []) : [group.backend];
  const [only = null] = regions.length === 1 ? regions : [];
  return {
    backend: backends.map((one) => backendName(one, only)).join(', '),
    region: regions.length > 3 ? `${regions.length} regions` : regions.join(', '),
  };
}

/** Without a region it is not known which of the two it is. */
function backendName(backend: string, region: string | null): string {
  if (backend === 'remote' && region === null) return 'ssh or local';
  return backendText(backend, region) ?? '';
}

const spotText = (kinds: readonly string[]): string => [...kinds].sort().join(', ');

interface Range {
  readonly min: number | null;
  readonly max: number | null;
}

/** Offers without a known price have 0. */
const knownPrices = ({ min, max }: Range): Range => ({ min: min || max, max });

function range({ min, max }: Range, text: (value: number) => string): string {
  if (min === null || max === null || min === max) {
    const only = min ?? max;
    return only === null ? '' : text(only);
  }
  return `${text(min)} – ${text(max)}`;
}
