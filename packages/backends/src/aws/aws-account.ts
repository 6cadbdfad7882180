/** The parts that all backends with the same credentials share: calls, the lists of machines, and offers. */
import type { KeptFacts } from '../base/kind.ts';
import { OFFERS_FACT } from '../base/rest-vm/account-facts.ts';
import { AccountVms } from '../base/rest-vm/account-vms.ts';
import { accountId } from '../base/rest-vm/accounts.ts';
import { LiveOffers } from '../base/rest-vm/live-offers.ts';
import type { CallPace } from '../base/rest-vm/pace.ts';
import { ZoneCapacity } from '../base/rest-vm/zone-capacity.ts';
import type { CatalogItem } from '../catalog/catalog.ts';
import type { AwsClient } from './aws-client.ts';
import { AwsOffers } from './offers.ts';
import type { AwsSettings } from './settings.ts';

export interface AwsAccountOptions {
  /** Reveals nothing of the credentials. */
  readonly id: string;
  readonly client: AwsClient;
  /** The catalogue's list now. */
  readonly listed: () => readonly CatalogItem[];
  readonly facts: Pick<KeptFacts, 'get' | 'set'>;
  /** Whether plans show the catalogue while EC2 has not answered for the first time, or wait for it. */
  readonly showsCatalog: boolean;
  readonly pace: CallPace;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** The offers to backends with the same regions and types. */
export interface AwsMarket {
  readonly asked: AwsOffers;
  readonly offers: LiveOffers;
}

export interface AwsAccountRegion {
  /** The machines there, of all owners. */
  readonly vms: AccountVms;
  /** Those of gateways. */
  readonly gatewayVms: AccountVms;
  readonly capacity: ZoneCapacity;
}

export class AwsAccount {
  readonly client: AwsClient;
  readonly #options: AwsAccountOptions;
  readonly #regions = new Map<string, AwsAccountRegion>();
  readonly #markets = new Map<string, AwsMarket>();

  constructor(options: AwsAccountOptions) {
    this.#options = options;
    this.client = options.client;
  }

  regionOf(region: string): AwsAccountRegion {
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

  marketOf({ regions, experimental }: Pick<AwsSettings, 'regions' | 'experimental'>): AwsMarket {
    const { id, client, facts, pace, now, showsCatalog } = this.#options;
    const scope = accountId(id, ...regions, '', ...experimental.toSorted());
    const known = this.#markets.get(scope);
    if (known) return known;
    const asked = new AwsOffers({
      ...{ client, regions, experimental, now: () => pace.now(), clock: now },
      listed: this.#options.listed,
    });
    const ask = () => asked.all();
    const factKey = `${OFFERS_FACT}:aws:${scope}`;
    const listed = () => (showsCatalog ? asked.listed() : []);
    const offers = new LiveOffers({ title: 'AWS', ask, listed, facts, factKey, now });
    const market = { asked, offers };
    this.#markets.set(scope, market);
    return market;
  }
}
