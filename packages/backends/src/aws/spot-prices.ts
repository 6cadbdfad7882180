/** Prices of the spot market. They differ between zones, and change within minutes. */
import { errorMessage } from '@dstack/contract/error-message';
import type { Offer } from '@dstack/core';
import { KeptAnswer } from '../base/kept-answer.ts';
import type { Ec2, SpotPrice } from './ec2.ts';

/** USD per hour by zones, by types. */
type Market = ReadonlyMap<string, ReadonlyMap<string, number>>;

export interface SpotPricesOptions {
  readonly ec2: Pick<Ec2, 'spotPrices' | 'region'>;
  /** Types that are sold there. */
  readonly types: () => readonly string[];
  /** Milliseconds that no step of the clock moves. */
  readonly now: () => number;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
}

const KEPT_MS = 300_000;
/** Prices that are older than this are no better than those of the catalogue. */
const LONGEST_MS = 3_600_000;
/** A zone that costs this many times what the cheapest one does is not offered. */
const DEAREST = 1.5;

export class SpotPrices {
  readonly #options: SpotPricesOptions;
  readonly #asked: KeptAnswer<void>;
  #known: { readonly market: Market; readonly at: number } | null = null;
  #problem: string | null = null;

  constructor(options: SpotPricesOptions) {
    this.#options = options;
    this.#asked = new KeptAnswer(KEPT_MS, options.now, () => this.#ask());
  }

  /** Asks again if that is due. Never rejects: offers do not depend on it. */
  async refresh(): Promise<void> {
    try {
      await this.#asked.value();
      this.#problem = null;
    } catch (error) {
      this.#problem = errorMessage(error);
    }
  }

  /** Other types are sold. */
  drop(): void {
    this.#asked.drop();
  }

  /** Why the prices are not the present ones; null = they are. */
  get problem(): string | null {
    return this.#problem;
  }

  /** Milliseconds since EC2 was asked; null = its prices are not known, and those of the catalogue are shown. */
  get age(): number | null {
    const age = this.#known && this.#options.now() - this.#known.at;
    return age !== null && age <= LONGEST_MS ? age : null;
  }

  /**
   * A spot offer with the price of the market, and without zones that are much dearer. The price is that of its
   * dearest zone, and the cheapest one is asked first.
   */
  priced(offer: Offer): Offer {
    const { instance, availability_zones: zones } = offer;
    const prices = this.age === null ? undefined : this.#known?.market.get(instance.name);
    if (!instance.resources.spot || prices === undefined || zones === null) return offer;
    const known = zones
      .flatMap((zone) => {
        const price = prices.get(zone);
        return price === undefined ? [] : [{ zone, price }];
      })
      .toSorted((a, b) => a.price - b.price || (a.zone < b.zone ? -1 : 1));
    const most = (known[0]?.price ?? 0) * DEAREST;
    const offered = known.filter(({ price }) => price <= most);
    const dearest = offered.at(-1);
    if (dearest === undefined) return offer;
    return { ...offer, price: dearest.price, availability_zones: offered.map(({ zone }) => zone) };
  }

  async #ask(): Promise<void> {
    const { ec2, types, now, clock } = this.#options;
    const at = now();
    const prices = await ec2.spotPrices(types(), new Date(clock()));
    this.#known = { market: marketOf(prices), at };
  }
}

/** The latest price of each place. */
function marketOf(prices: readonly SpotPrice[]): Market {
  const market = new Map<string, Map<string, number>>();
  for (const { type, zone, price } of prices.toSorted((a, b) => (a.since < b.since ? -1 : 1))) {
    const zones = market.get(type) ?? new Map<string, number>();
    market.set(type, zones.set(zone, price));
  }
  return market;
}

const MINUTE_MS = 60_000;

/** For plans; null = no price of the market is known. */
export function spotNotes(regions: readonly SpotPrices[], names: readonly string[]): string[] {
  const ages = regions.flatMap(({ age }) => age ?? []);
  const minutes = Math.floor(Math.max(0, ...ages) / MINUTE_MS);
  const age =
    minutes === 0 ? 'less than a minute' : `${minutes} ${minutes === 1 ? 'minute' : 'minutes'}`;
  const missing = regions.flatMap((one, at) => (one.age === null ? [at] : []));
  const [first = -1] = missing;
  const why = regions[first]?.problem ?? null;
  return [
    ...(ages.length === 0 ? [] : [`spot prices are those of EC2's market, ${age} old`]),
    ...(why === null
      ? []
      : [
          `spot prices in ${missing.map((at) => names[at]).join(', ')} are those of the catalogue: ${why}`,
        ]),
  ];
}
