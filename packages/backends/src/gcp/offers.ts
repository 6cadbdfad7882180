/**
 * Offers of GCP: sizes and prices of the catalogue, in the zones that are up, within the quotas of the project. Google
 * reports no capacity before it is asked for a machine.
 */
import type { Requirements } from '@dstack/contract/wire';
import type { Offer } from '@dstack/core';
import { KeptAnswer } from '../base/kept-answer.ts';
import type { CatalogItem } from '../catalog/catalog.ts';
import { catalogOffer } from '../catalog/offers.ts';
import { type Compute, type GcpRegionFacts, lastSegment, regionOfZone } from './compute.ts';
import { acceleratorOf, isSupported, isTpu, quotaMetric } from './machine-types.ts';

export interface GcpOffersOptions {
  readonly compute: Pick<Compute, 'regions'>;
  readonly regions: readonly string[];
  /** Flags of types that are previews, and sold to this project. */
  readonly previews: readonly string[];
  readonly showsTpus: boolean;
  /** The catalogue's list now. */
  readonly listed: () => readonly CatalogItem[];
  /** Milliseconds that no step of the clock moves. */
  readonly now: () => number;
}

/** A type in a region, with the zones that sell it. */
interface Sold {
  readonly item: CatalogItem;
  readonly region: string;
  readonly zones: readonly string[];
}

interface Market {
  /** The list of which it was made. */
  readonly from: readonly CatalogItem[];
  readonly sold: readonly Sold[];
  /** All of the catalogue, because machines of other backends of the project have other types. */
  readonly sizes: ReadonlyMap<string, Offer['instance']>;
  readonly zones: ReadonlyMap<string, readonly string[]>;
}

/** Root disks that Google sells, in GB. */
export const ROOT_DISKS = { least: 20, most: 32_768 };
const QUOTAS_KEPT_MS = 60_000;
/** Rows of capacity that is sold by the calendar, to reservations only. */
const CALENDAR = 'is_dws_calendar_mode';
const PREVIEWS: ReadonlySet<string> = new Set(['gcp-g4']);

/** Sizes do not depend on requirements, except for the disk, which is set for each plan. */
const NO_REQUIREMENTS = { resources: { disk: null } } as unknown as Requirements;

export class GcpOffers {
  readonly #options: GcpOffersOptions;
  readonly #regions: KeptAnswer<readonly GcpRegionFacts[]>;
  #market: Market | null = null;
  /** GPUs that may be added, by region and metric. */
  #limits: ReadonlyMap<string, { readonly limit: number; readonly usage: number }> = new Map();

  constructor(options: GcpOffersOptions) {
    this.#options = options;
    const { compute, now } = options;
    this.#regions = new KeptAnswer(QUOTAS_KEPT_MS, now, () => compute.regions());
  }

  async all(): Promise<readonly Offer[]> {
    const facts = new Map((await this.#regions.value()).map((one) => [one.name, one]));
    this.#limits = new Map(
      [...facts.values()].flatMap(({ name, quotas = [] }) =>
        quotas.map(({ metric, limit, usage }) => [`${name} ${metric}`, { limit, usage }] as const),
      ),
    );
    return this.#made().sold.flatMap((sold) => {
      const region = facts.get(sold.region);
      if (region === undefined || region.status === 'DOWN') return [];
      const up = new Set((region.zones ?? []).map(lastSegment));
      const zones = sold.zones.filter((zone) => up.has(zone));
      return zones.length === 0 ? [] : [this.#offerOf({ ...sold, zones })];
    });
  }

  /** The offers of the catalogue, as long as Google has not been asked. */
  listed(): readonly Offer[] {
    return this.#made().sold.map((sold) => this.#offerOf(sold));
  }

  /** Zones of a region, as far as the catalogue lists them. */
  zones(region: string): readonly string[] {
    return this.#made().zones.get(region) ?? [];
  }

  /** By the type, and the accelerator that is attached to it. Null: the catalogue does not list it. */
  sizes(type: string, accelerator: string | null): Offer['instance'] | null {
    return this.#made().sizes.get(sizeKey(type, accelerator)) ?? null;
  }

  /** Null: it is not known, or nothing counts it. */
  quotaOf({ region, instance }: Offer) {
    const metric = quotaMetric(instance.resources);
    const known = metric === null ? undefined : this.#limits.get(`${region} ${metric}`);
    return metric === null || known === undefined ? null : { metric, ...known };
  }

  #offerOf({ item, region, zones }: Sold): Offer {
    const offer = { ...offerOf(item), region, availability_zones: [...zones] };
    // Nothing here can order them.
    if (isTpu(offer.instance.resources)) return { ...offer, availability: 'not_available' };
    const quota = this.quotaOf(offer);
    const isOver =
      quota !== null && quota.limit - quota.usage < offer.instance.resources.gpus.length;
    return isOver ? { ...offer, availability: 'no_quota' } : offer;
  }

  /** Made anew when the server has read another catalogue. */
  #made(): Market {
    const from = this.#options.listed();
    if (this.#market?.from === from) return this.#market;
    const { regions, previews, showsTpus } = this.#options;
    const wanted = new Set(regions);
    const isSold = (item: CatalogItem) =>
      wanted.has(regionOfZone(item.location)) &&
      item.providerData[CALENDAR] !== true &&
      item.flags.every((flag) => !PREVIEWS.has(flag) || previews.includes(flag)) &&
      (item.gpuVendor === 'google' ? showsTpus : isSupported(item.instanceName, item.gpuName));
    this.#market = {
      from,
      sold: byRegion(from.filter(isSold)),
      sizes: new Map(from.map((item) => [...sizeEntry(item)] as const)),
      zones: zonesByRegion(from),
    };
    return this.#market;
  }
}

const offerOf = (item: CatalogItem): Offer =>
  catalogOffer('gcp', item, NO_REQUIREMENTS, 'unknown', 'shim');

const sizeKey = (type: string, accelerator: string | null): string => `${type} ${accelerator}`;

function sizeEntry(item: CatalogItem): readonly [string, Offer['instance']] {
  const { instance } = offerOf(item);
  const key = sizeKey(item.instanceName, acceleratorOf(instance.resources)?.name ?? null);
  return [key, instance];
}

/** Rows are for one zone. The highest price of the zones counts, so that no machine costs more than its offer. */
function byRegion(items: readonly CatalogItem[]): readonly Sold[] {
  const groups = Map.groupBy(items, ({ instanceName, spot, gpuName, gpuCount, location }) =>
    [instanceName, spot, gpuName, gpuCount, regionOfZone(location)].join(' '),
  );
  return [...groups.values()].flatMap((rows) => {
    const [dearest] = rows.toSorted((a, b) => b.price - a.price);
    if (dearest === undefined) return [];
    const zones = [...new Set(rows.map(({ location }) => location))].sort();
    return [{ item: dearest, region: regionOfZone(dearest.location), zones }];
  });
}

function zonesByRegion(items: readonly CatalogItem[]): Market['zones'] {
  const zones = new Set(items.map(({ location }) => location));
  return Map.groupBy([...zones].sort(), regionOfZone);
}

/** Quotas that exclude offers, for the plan: each of a region once. */
export function quotaNotes(offers: readonly Offer[], quotaOf: GcpOffers['quotaOf']): string[] {
  const notes = new Map<string, { readonly gpus: number; readonly text: string }>();
  for (const offer of offers) {
    const quota = quotaOf(offer);
    if (offer.availability !== 'no_quota' || quota === null) continue;
    const gpus = offer.instance.resources.gpus.length;
    const place = `${quota.metric} in ${offer.region}`;
    if (gpus >= (notes.get(place)?.gpus ?? Number.POSITIVE_INFINITY)) continue;
    const text = `no quota: ${gpus} of ${place}, limit ${quota.limit}, in use ${quota.usage}`;
    notes.set(place, { gpus, text });
  }
  return [...notes.values()].map(({ text }) => text);
}
