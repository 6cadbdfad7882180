/**
 * Live prices and availability of an account. The last known offers answer at once and are refreshed
 * behind; they outlive the server, so that no plan waits for a cold start.
 */
import { createHash } from 'node:crypto';
import { errorMessage } from '@dstack/contract/error-message';
import { withTimeout } from '@dstack/contract/with-timeout';
import type { Offer } from '@dstack/core';
import { CredentialsError } from '../errors.ts';
import type { KeptFacts } from '../kind.ts';

export interface LiveOffersOptions {
  /** Name of the provider, for notes. */
  readonly title: string;
  readonly ask: () => Promise<readonly Offer[]>;
  readonly facts: Pick<KeptFacts, 'get' | 'set'>;
  /**
   * Offers of a price list, for plans before the provider has answered for the first time; omitted, or an empty
   * list: they wait for it.
   */
  readonly listed?: () => readonly Offer[];
  /** Key of the stored offers: another one for each account and choice of regions. */
  readonly factKey: string;
  /** From which age on they are asked for again, in milliseconds; omitted: 30 s. */
  readonly freshMs?: number | undefined;
  /** Milliseconds since the epoch: the age of stored offers counts across restarts. */
  readonly now: () => number;
}

/** An ordered offer that the provider refused. `availability_zones`: the zones that were asked. */
export type RefusedOffer = Pick<Offer, 'instance' | 'region' | 'availability_zones'>;

export interface KnownOffers {
  readonly offers: readonly Offer[];
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** A plan with nothing known waits this long for the provider before the price list answers. */
const FIRST_MS = 200;
/** In the note beside offers of the catalogue. */
export const NOT_ANSWERED = 'has not answered yet';
/** After this age they are asked for again; until the answer comes, the known ones are given. */
const FRESH_MS = 30_000;
/** From this age on, the age is part of the answer. */
const OLD_MS = 120_000;
/** How long a refusal of the provider counts more than a list with the opposite. */
const SOLD_OUT_MS = 60_000;
const NO_QUOTA_MS = 300_000;
/** Offers that are still the same are stored again after this time, since their age counts. */
const STORED_MS = 600_000;
/** Notes about refused quotas in one answer. */
const SHOWN_QUOTAS = 3;

interface Refused {
  readonly availability: 'not_available' | 'no_quota';
  readonly name: string;
  readonly region: string;
  /** In the words of the provider; null = not known. */
  readonly text: string | null;
  readonly until: number;
}

export class LiveOffers {
  readonly #options: LiveOffersOptions;
  readonly #refused = new Map<string, Refused>();
  #known: KnownOffers | null = null;
  #asking: Promise<KnownOffers> | null = null;
  #stored: Promise<void> | null = null;
  /** The hash of the offers that this process stored last, and when the provider was asked for them. */
  #written: { readonly hash: string; readonly at: number } | null = null;
  /** Why the last question failed; null = it did not. */
  #error: unknown = null;

  constructor(options: LiveOffersOptions) {
    this.#options = options;
  }

  /** Rejects only if nothing is known, or if the provider refuses the credentials. */
  async answer(): Promise<{
    readonly offers: readonly Offer[];
    readonly notes: readonly string[];
  }> {
    const known = await this.#soon();
    if (this.#error instanceof CredentialsError) throw this.#error;
    this.#forget();
    return {
      offers: known.offers.map((offer) => this.#corrected(offer)),
      notes: [...this.#notes(known), ...this.#quotaNotes()],
    };
  }

  /** The present price of an offer, per hour, in this size; null = it is not sold any more. */
  async priceOf(
    { instance, region }: Pick<Offer, 'instance' | 'region'>,
    sized: (listed: Offer) => Offer = (listed) => listed,
  ): Promise<number | null> {
    const { offers } = await this.#current();
    const found = offers.find(
      (offer) =>
        offer.instance.name === instance.name &&
        offer.region === region &&
        offer.instance.resources.spot === instance.resources.spot &&
        gpusOf(offer.instance.resources) === gpusOf(instance.resources),
    );
    return found === undefined ? null : sized(found).price;
  }

  /** The provider has refused an order of this offer. */
  refused(offer: RefusedOffer, why: 'capacity' | 'quota', text: string | null = null): void {
    const now = this.#options.now();
    const { region } = offer;
    const { name: type, resources } = offer.instance;
    const name = resources.spot ? `${type} (spot)` : type;
    this.#refused.set(
      keyOf(offer),
      why === 'quota'
        ? { availability: 'no_quota', name, region, text, until: now + NO_QUOTA_MS }
        : { availability: 'not_available', name, region, text, until: now + SOLD_OUT_MS },
    );
  }

  async #soon(): Promise<KnownOffers & { readonly isListed?: true }> {
    const current = this.#current();
    // Most accounts are known: no list has to be made then.
    const known = await withTimeout(() => current, { ms: FIRST_MS, onTimeout: () => null });
    if (known !== null) return known;
    current.catch(() => {});
    const offers = this.#options.listed?.() ?? [];
    if (offers.length === 0) return await current;
    return { offers, at: this.#options.now(), isListed: true };
  }

  async #current(): Promise<KnownOffers> {
    this.#stored ??= this.#load();
    await this.#stored;
    const known = this.#known;
    if (known !== null && this.#isFresh(known)) return known;
    const asked = this.#ask();
    if (known === null) return await asked;
    // The known ones are the answer; an error is part of the notes of the next one.
    asked.catch(() => {});
    return known;
  }

  /** A wrong clock may have dated them ahead; their age is unknown then. */
  #isFresh({ at }: KnownOffers): boolean {
    const { now, freshMs = FRESH_MS } = this.#options;
    const age = now() - at;
    return age >= 0 && age <= freshMs;
  }

  #ask(): Promise<KnownOffers> {
    this.#asking ??= this.#asked().finally(() => {
      this.#asking = null;
    });
    return this.#asking;
  }

  async #asked(): Promise<KnownOffers> {
    const { ask, now } = this.#options;
    try {
      const known = { offers: await ask(), at: now() };
      this.#known = known;
      this.#error = null;
      await this.#write(known);
      return known;
    } catch (error) {
      this.#error = error;
      throw error;
    }
  }

  /** A large provider has megabytes of offers, which seldom change. */
  async #write(known: KnownOffers): Promise<void> {
    const { facts, factKey } = this.#options;
    const hash = createHash('sha256').update(JSON.stringify(known.offers)).digest('base64');
    const age = known.at - (this.#written?.at ?? 0);
    if (this.#written?.hash === hash && age >= 0 && age < STORED_MS) return;
    try {
      await facts.set(factKey, JSON.stringify(known));
      this.#written = { hash, at: known.at };
    } catch {
      // It is for the next start only.
    }
  }

  async #load(): Promise<void> {
    const { facts, factKey } = this.#options;
    try {
      const text = await facts.get(factKey);
      this.#known = text === null ? null : (JSON.parse(text) as KnownOffers);
    } catch {
      // The provider is asked instead.
      this.#known = null;
    }
  }

  #corrected(offer: Offer): Offer {
    const refused = this.#refused.get(keyOf(offer));
    return refused === undefined ? offer : { ...offer, availability: refused.availability };
  }

  /** A later end than any refusal has was written before the clock was set back. */
  #forget(): void {
    const now = this.#options.now();
    for (const [key, { until }] of this.#refused) {
      if (until <= now || until - now > NO_QUOTA_MS) this.#refused.delete(key);
    }
  }

  #quotaNotes(): readonly string[] {
    const short = [...this.#refused.values()].filter((one) => one.availability === 'no_quota');
    return short
      .slice(0, SHOWN_QUOTAS)
      .map(({ name, region, text }) =>
        ['no quota', `${name} in ${region}`, text].filter((part) => part !== null).join(': '),
      );
  }

  #notes({ at, isListed }: KnownOffers & { readonly isListed?: true }): readonly string[] {
    const { title, now, freshMs = FRESH_MS } = this.#options;
    if (isListed) {
      const why = this.#error === null ? '' : `: ${errorMessage(this.#error)}`;
      return [
        `${title} ${NOT_ANSWERED}, so these are the prices of the catalogue and availability is not known${why}`,
      ];
    }
    const age = now() - at;
    if (age < Math.max(OLD_MS, 2 * freshMs)) return [];
    const why =
      this.#error === null ? '' : `, because it did not answer: ${errorMessage(this.#error)}`;
    return [`prices and availability of ${title} are ${ageText(age)} old${why}`];
  }
}

/**
 * Some providers name a type by its GPU alone, and others have several GPUs for a type. Omitted by callers that know
 * no GPUs: none.
 */
export function gpusOf({ gpus }: Partial<Pick<Offer['instance']['resources'], 'gpus'>>): string {
  return gpus?.[0] === undefined ? '' : `${gpus.length} ${gpus[0].name} ${gpus[0].memory_mib}`;
}

/** Spot machines have a capacity and quotas of their own. */
const keyOf = ({ instance: { name, resources }, region }: RefusedOffer): string =>
  `${name} ${gpusOf(resources)} ${region} ${resources.spot}`;

const MINUTE_MS = 60_000;
const UNITS = [
  { ms: 1440 * MINUTE_MS, name: 'day' },
  { ms: 60 * MINUTE_MS, name: 'hour' },
  { ms: MINUTE_MS, name: 'minute' },
] as const;

/** In the largest unit of which there are two. */
function ageText(ms: number): string {
  const unit = UNITS.find((one) => ms >= 2 * one.ms) ?? UNITS[2];
  return `${Math.floor(ms / unit.ms)} ${unit.name}s`;
}
