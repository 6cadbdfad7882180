/**
 * Offers of AWS: sizes and prices of the catalogue, in the zones where EC2 sells them, within the account's
 * quotas. EC2 reports no capacity before it is asked for a machine.
 */
import { errorMessage } from '@dstack/contract/error-message';
import type { Requirements } from '@dstack/contract/wire';
import type { Offer } from '@dstack/core';
import { CredentialsError } from '../base/errors.ts';
import { KeptAnswer } from '../base/kept-answer.ts';
import type { CatalogItem } from '../catalog/catalog.ts';
import { catalogOffer } from '../catalog/offers.ts';
import type { AwsClient } from './aws-client.ts';
import { Ec2 } from './ec2.ts';
import { bucketOf, ec2Quotas, type QuotaLimits } from './quotas.ts';
import { SpotPrices, spotNotes } from './spot-prices.ts';

/** The families of dstack 0.22.5. */
export const FAMILIES: readonly string[] = [
  ...['m7i', 'c7i', 'r7i', 't3', 'c5', 'm5', 'p6-b300', 'p6-b200', 'p5', 'p5e', 'p5en', 'p4d'],
  ...['p4de', 'g7', 'g7e', 'g6', 'g6e', 'gr6', 'g5', 'g4dn'],
];
const TYPES: readonly string[] = ['t2.small'];

export interface AwsOffersOptions {
  readonly client: AwsClient;
  readonly regions: readonly string[];
  /** Types besides those of the families above. */
  readonly experimental: readonly string[];
  /** The catalogue's list now. */
  readonly listed: () => readonly CatalogItem[];
  /** Milliseconds that no step of the clock moves. */
  readonly now: () => number;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
}

/** The types of the catalogue that the adapter knows. */
interface Sold {
  /** The list of which it was made. */
  readonly from: readonly CatalogItem[];
  readonly byRegion: ReadonlyMap<string, readonly CatalogItem[]>;
  /** All types of the catalogue, because machines of other backends of the account have other types. */
  readonly byType: ReadonlyMap<string, CatalogItem>;
}

interface RegionFacts {
  /** Zones in which a type is sold. */
  readonly zones: ReadonlyMap<string, readonly string[]>;
  readonly limits: QuotaLimits;
  readonly problem: string | null;
}

/** Root disks that AWS sells, in GB. */
const DISK = { least: 100, most: 16_384 };
const MIB_PER_GIB = 1024;
const ZONES_KEPT_MS = 3_600_000;
const QUOTAS_KEPT_MS = 600_000;

/** Sizes do not depend on requirements, except for the disk, which `withDisk` sets. */
const NO_REQUIREMENTS = { resources: { disk: null } } as unknown as Requirements;

export class AwsOffers {
  readonly #options: AwsOffersOptions;
  readonly #types: ReadonlySet<string>;
  readonly #regions: ReadonlyMap<string, () => Promise<RegionFacts>>;
  readonly #zones: KeptAnswer<RegionFacts['zones']>[] = [];
  readonly #spot = new Map<string, SpotPrices>();
  #known: Sold | null = null;
  #problems: readonly string[] = [];
  #leftOut: ReadonlySet<string> = new Set();
  readonly #limits = new Map<string, QuotaLimits>();

  constructor(options: AwsOffersOptions) {
    this.#options = options;
    const { experimental, regions } = options;
    this.#types = new Set([...FAMILIES, ...TYPES, ...experimental]);
    this.#regions = new Map(regions.map((region) => [region, this.#factsOf(region)]));
  }

  /** Where the prices of spot machines are from, of the regions that have offers. */
  get spotNotes(): readonly string[] {
    const offered = [...this.#spot].filter(([region]) => !this.#leftOut.has(region));
    return spotNotes(
      offered.map(([, prices]) => prices),
      offered.map(([region]) => region),
    );
  }

  /** The problems of single regions at the last request for offers. */
  get problems(): readonly string[] {
    return this.#problems;
  }

  /** Returns the offers of all regions that answer. Rejects if none does. */
  async all(): Promise<readonly Offer[]> {
    this.#sold();
    const answers = await Promise.all(
      [...this.#regions].map(async ([region, facts]) => {
        const answer = await facts().catch((error: unknown) => ({ error }));
        return { region, answer };
      }),
    );
    const known = answers.flatMap(({ region, answer }) =>
      'error' in answer ? [] : [{ region, facts: answer }],
    );
    const failed = answers.flatMap(({ region, answer }) =>
      'error' in answer ? [{ region, error: answer.error }] : [],
    );
    if (known.length === 0 && failed[0]) {
      const refused = failed.find(({ error }) => error instanceof CredentialsError);
      throw (refused ?? failed[0]).error;
    }
    this.#leftOut = new Set(failed.map(({ region }) => region));
    this.#problems = [
      ...failed.map(
        ({ region, error }) => `offers of ${region} are left out: ${errorMessage(error)}`,
      ),
      ...known.flatMap(({ region, facts: { problem } }) =>
        problem === null ? [] : [`quotas of AWS in ${region} are not known: ${problem}`],
      ),
    ];
    for (const { region, facts } of known) this.#limits.set(region, facts.limits);
    return known.flatMap(({ region, facts }) => this.#ofRegion(region, facts));
  }

  /** The offers of the catalogue, as long as EC2 has not been asked. */
  listed(): readonly Offer[] {
    return this.#options.regions.flatMap((region) =>
      this.#itemsOf(region).map((item) => ({ ...this.#offerOf(item, 'unknown'), region })),
    );
  }

  /** Null: it is not known. */
  limitOf({ region, instance }: Offer): number | null {
    const { code } = bucketOf(instance.name, instance.resources.spot);
    return this.#limits.get(region)?.get(code) ?? null;
  }

  /** Null: the catalogue does not list it. */
  sizes(type: string): Offer['instance'] | null {
    const item = this.#sold().byType.get(type);
    return item ? this.#offerOf(item, 'unknown').instance : null;
  }

  /** Made anew when the server has read another catalogue. */
  #sold(): Sold {
    const from = this.#options.listed();
    if (this.#known?.from === from) return this.#known;
    const items = from.filter(
      ({ instanceName: type }) =>
        this.#types.has(type) || this.#types.has(type.split('.')[0] ?? ''),
    );
    // It may list types that EC2 was not asked about.
    for (const known of [...this.#zones, ...this.#spot.values()]) known.drop();
    this.#known = {
      from,
      byRegion: Map.groupBy(items, ({ location }) => location.toLowerCase()),
      byType: new Map(from.toReversed().map((item) => [item.instanceName, item])),
    };
    return this.#known;
  }

  #offerOf(item: CatalogItem, availability: Offer['availability']): Offer {
    return catalogOffer('aws', item, NO_REQUIREMENTS, availability, 'shim');
  }

  #ofRegion(region: string, { zones, limits }: RegionFacts): readonly Offer[] {
    return this.#itemsOf(region).flatMap((item) => {
      const sold = zones.get(item.instanceName) ?? [];
      if (sold.length === 0) return [];
      const limit = limits.get(bucketOf(item.instanceName, item.spot).code);
      const isOver = limit !== undefined && limit < item.cpus;
      const offer = this.#offerOf(item, isOver ? 'no_quota' : 'unknown');
      const inZones = { ...offer, region, availability_zones: sold.toSorted() };
      return [this.#spot.get(region)?.priced(inZones) ?? inZones];
    });
  }

  #itemsOf(region: string): readonly CatalogItem[] {
    return this.#sold().byRegion.get(region) ?? [];
  }

  /** Facts that seldom change are seldom requested. */
  #factsOf(region: string): () => Promise<RegionFacts> {
    const { client, now, clock } = this.#options;
    const ec2 = new Ec2(client, region);
    const typesOf = (items: readonly CatalogItem[]) => [
      ...new Set(items.map(({ instanceName }) => instanceName)),
    ];
    const zones = new KeptAnswer(ZONES_KEPT_MS, now, () =>
      ec2.zonesOf(typesOf(this.#itemsOf(region))),
    );
    const spot = new SpotPrices({
      ...{ ec2, now, clock },
      types: () => typesOf(this.#itemsOf(region).filter((item) => item.spot)),
    });
    this.#spot.set(region, spot);
    this.#zones.push(zones);
    const quotas = new KeptAnswer(QUOTAS_KEPT_MS, now, () => ec2Quotas(client, region));
    return async () => {
      const [sold, { limits, problem }] = await Promise.all([
        zones.value(),
        quotas.value(),
        spot.refresh(),
      ]);
      return { zones: sold, limits, problem };
    };
  }
}

/** The offer with the disk that is asked for; null = AWS has none of this size. */
export function withDisk(offer: Offer, { resources }: Requirements): Offer | null {
  const { min, max } = resources.disk?.size ?? {};
  const gb = Math.max(DISK.least, min ?? DISK.least);
  if (gb > DISK.most || (max !== null && max !== undefined && gb > max)) return null;
  const { instance } = offer;
  const disk = { size_mib: Math.round(gb * MIB_PER_GIB) };
  return { ...offer, instance: { ...instance, resources: { ...instance.resources, disk } } };
}

/** Quotas that exclude offers, for the plan: of each in a region the smallest machine that is over it. */
export function quotaNotes(offers: readonly Offer[], limitOf: (offer: Offer) => number | null) {
  const notes = new Map<string, { readonly cpus: number; readonly text: string }>();
  for (const offer of offers) {
    const limit = limitOf(offer);
    if (offer.availability !== 'no_quota' || limit === null) continue;
    const { name, resources } = offer.instance;
    const { cpus, spot } = resources;
    const place = `${bucketOf(name, spot).title} in ${offer.region}`;
    if (cpus >= (notes.get(place)?.cpus ?? Number.POSITIVE_INFINITY)) continue;
    notes.set(place, { cpus, text: `no quota: ${cpus} vCPU of ${place}, limit ${limit}` });
  }
  return [...notes.values()].map(({ text }) => text);
}
