/** The parts that all backends with the same credentials and project share: calls, the lists of machines, and offers. */
import type { KeptFacts } from '../base/kind.ts';
import { OFFERS_FACT } from '../base/rest-vm/account-facts.ts';
import { AccountVms } from '../base/rest-vm/account-vms.ts';
import { accountId } from '../base/rest-vm/accounts.ts';
import { LiveOffers } from '../base/rest-vm/live-offers.ts';
import type { CallPace } from '../base/rest-vm/pace.ts';
import { ZoneCapacity } from '../base/rest-vm/zone-capacity.ts';
import type { CatalogItem } from '../catalog/catalog.ts';
import { type Compute, type ListedInstances, unreachableIn } from './compute.ts';
import { GATEWAY_KEY_LABEL } from './gateways/gateway-use.ts';
import { Insertions } from './insertions.ts';
import { KEY_LABEL } from './labels.ts';
import { NextAnswer } from './next-answer.ts';
import { GcpOffers } from './offers.ts';
import type { GcpSettings } from './settings.ts';

export interface GcpAccountOptions {
  /** Reveals nothing of the credentials. */
  readonly id: string;
  readonly compute: Compute;
  /** The catalogue's list now. */
  readonly listed: () => readonly CatalogItem[];
  readonly facts: Pick<KeptFacts, 'get' | 'set'>;
  /** Whether plans show the catalogue while GCP has not answered for the first time, or wait for it. */
  readonly showsCatalog: boolean;
  readonly pace: CallPace;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** The offers to backends with the same regions and types. */
export interface GcpMarket {
  readonly asked: GcpOffers;
  readonly offers: LiveOffers;
}

export interface GcpAccountRegion {
  /** The machines there, of all owners. */
  readonly vms: AccountVms;
  /** Those of gateways. */
  readonly gatewayVms: AccountVms;
  readonly capacity: ZoneCapacity;
}

const UNREACHABLE_MS = 10_000;

export class GcpAccount {
  readonly compute: Compute;
  readonly insertions: Insertions;
  readonly #options: GcpAccountOptions;
  readonly #listed: NextAnswer<ListedInstances>;
  readonly #listedGateways: NextAnswer<ListedInstances>;
  /** The regions and zones that the last list lacks, and when it was requested. */
  #unreachable: { readonly at: number; readonly names: ReadonlySet<string> } | null = null;
  readonly #regions = new Map<string, GcpAccountRegion>();
  readonly #markets = new Map<string, GcpMarket>();

  constructor(options: GcpAccountOptions) {
    const { compute, pace } = options;
    this.#options = options;
    this.compute = compute;
    this.insertions = new Insertions({ compute, pace });
    this.#listed = new NextAnswer(() => compute.instances(KEY_LABEL));
    this.#listedGateways = new NextAnswer(() => compute.instances(GATEWAY_KEY_LABEL));
  }

  /** The machines of all regions, by a list that no call has begun before. */
  async listed(): Promise<ListedInstances> {
    const { pace } = this.#options;
    const at = pace.now();
    const { instances, unreachable } = await this.#listed.value();
    this.#unreachable = { at, names: unreachable };
    return { instances, unreachable };
  }

  /** The same for the machines of gateways. */
  async listedGateways(): Promise<ListedInstances> {
    return await this.#listedGateways.value();
  }

  /** The part of a region that did not answer a moment ago; null = all of it did. */
  async unreachableIn(region: string): Promise<string | null> {
    const { at, names } = this.#unreachable ?? { at: Number.NEGATIVE_INFINITY, names: null };
    const isKnown = names !== null && this.#options.pace.now() - at <= UNREACHABLE_MS;
    return unreachableIn(region, isKnown ? names : (await this.listed()).unreachable);
  }

  regionOf(region: string): GcpAccountRegion {
    const { pace } = this.#options;
    const known = this.#regions.get(region);
    if (known) return known;
    const made = {
      ...{ vms: new AccountVms(pace), gatewayVms: new AccountVms(pace) },
      capacity: new ZoneCapacity(() => pace.now()),
    };
    this.#regions.set(region, made);
    return made;
  }

  marketOf(settings: Pick<GcpSettings, 'regions' | 'previews' | 'showsTpus'>): GcpMarket {
    const { id, compute, facts, pace, now, showsCatalog } = this.#options;
    const { regions, previews, showsTpus } = settings;
    const scope = accountId(id, ...regions, '', ...previews, String(showsTpus));
    const known = this.#markets.get(scope);
    if (known) return known;
    const asked = new GcpOffers({
      ...{ compute, regions, previews, showsTpus, now: () => pace.now() },
      listed: this.#options.listed,
    });
    const ask = () => asked.all();
    const listed = () => (showsCatalog ? asked.listed() : []);
    const factKey = `${OFFERS_FACT}:gcp:${scope}`;
    const offers = new LiveOffers({ title: 'GCP', ask, listed, facts, factKey, now });
    const market = { asked, offers };
    this.#markets.set(scope, market);
    return market;
  }
}
