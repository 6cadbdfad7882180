/** The descriptor of a kind of backend whose provider has machines and an HTTP API. */
import { type ProcessEnv, SettingsError, withoutTrailingSlashes } from '@dstack/contract';
import type { BackendType } from '@dstack/contract/wire';
import { type CatalogItem, catalogItems } from '../../catalog/catalog.ts';
import type { BackendHost, BackendKind, BackendOpener, KeptFacts, SharedFacts } from '../kind.ts';
import { OFFERS_FACT } from './account-facts.ts';
import { AccountVms } from './account-vms.ts';
import { AccountLimiters, accountId } from './accounts.ts';
import { amendedFacts } from './amended-facts.ts';
import type { CallLimiter, CallRule } from './call-limiter.ts';
import { LiveOffers } from './live-offers.ts';
import { REAL_PACE } from './pace.ts';
import { restVm } from './rest-vm.ts';
import { SharedParts } from './shared-parts.ts';
import { sshWay } from './ssh-way.ts';
import type { VmCloud, WholeCloud } from './vm-cloud.ts';
import type { VmWay } from './vm-way.ts';

export interface VmKind<Config> {
  readonly type: BackendType;
  /** Its name for people. */
  readonly title: string;
  /** URL of the API, unless the variable `DSTACK_BACKEND_<TYPE>_ENDPOINT` names another one. */
  readonly endpoint: string;
  /** Its limits on calls, for each account. */
  readonly rules: readonly CallRule[];
  /** Throws for a configuration that cannot be used. */
  readonly parse: (config: unknown) => Config;
  /** Values that identify the account: its id is a hash of them. */
  readonly credentials: (config: Config) => readonly string[];
  /** Regions that the offers depend on beside the account; null = they depend on none. */
  readonly regions: (config: Config) => readonly string[] | null;
  /** From which age on offers are asked for again, in milliseconds; omitted: 30 s. */
  readonly freshMs?: number;
  /** Loads the adapter. */
  readonly adapter: (parts: AdapterParts<Config>) => Promise<WholeCloud>;
}

export interface AdapterParts<Config> {
  readonly config: Config;
  /** Without a slash at its end. */
  readonly endpoint: string;
  /** The same for all backends of an account. */
  readonly limiter: CallLimiter;
  /** Names the account, and reveals nothing of its credentials. */
  readonly account: string;
  /** Facts that all backends of the account change, one at a time, also those of other servers. */
  readonly facts: SharedFacts & Pick<KeptFacts, 'get'>;
  /** The catalogue's list now, for what the API does not report. */
  readonly listed: () => readonly CatalogItem[];
}

export function vmKind<Config>(kind: VmKind<Config>): BackendKind {
  const variable = endpointVariable(kind.type);
  return {
    type: kind.type,
    variables: [variable],
    configure: (env) => {
      const endpoint = endpointOf(env, variable) ?? kind.endpoint;
      return {
        type: kind.type,
        load: async (host) => {
          const { leaseSeconds = null } = host;
          const wayOf = (cloud: VmCloud, secret: string) => sshWay(cloud, secret, leaseSeconds);
          return openerOf(kind, endpoint, host, wayOf);
        },
      };
    },
  };
}

/** The variable that names another API than the provider's own. */
export const endpointVariable = (type: BackendType): string =>
  `DSTACK_BACKEND_${type.toUpperCase()}_ENDPOINT`;

/** `wayOf`: with the secret from which keys and tokens are derived. */
export function openerOf<Config>(
  kind: VmKind<Config>,
  endpoint: string,
  { facts, sharedFacts = null, catalog, leaseSeconds = null }: BackendHost,
  wayOf: (cloud: VmCloud, secret: string) => VmWay,
): BackendOpener {
  const { type, title, rules } = kind;
  const pace = REAL_PACE;
  const limiters = new AccountLimiters({ title, rules, pace, facts: sharedFacts });
  const amended = sharedFacts ?? amendedFacts(facts, Date.now);
  const changed: AdapterParts<Config>['facts'] = {
    get: (key) => facts.get(key),
    amend: (key, change) => amended.amend(key, change),
  };
  const accounts = new SharedParts<AccountVms>();
  const markets = new SharedParts<SharedOffers>();
  return {
    open: async (given, secret) => {
      const config = kind.parse(given);
      const account = accountId(endpoint, ...kind.credentials(config));
      const scope = accountId(account, ...(kind.regions(config) ?? []));
      const { limiter, leave } = limiters.join(account);
      const listed = () => catalogItems(catalog, type);
      const cloud = await kind.adapter({
        ...{ config, endpoint, limiter, listed, account, facts: changed },
      });
      const shared = accounts.join(account, () => new AccountVms(pace));
      const factKey = `${OFFERS_FACT}:${type}:${scope}`;
      const market = markets.join(scope, () => new SharedOffers(kind, facts, factKey));
      market.part.asker = cloud;
      const way = wayOf(cloud, secret);
      return {
        backend: restVm({
          ...{ cloud, way, pace, leaseSeconds },
          ...{ offers: market.part.offers, account: shared.part },
        }),
        close: () => {
          for (const part of [market, shared]) part.leave();
          leave();
          way.close?.();
        },
      };
    },
  };
}

/** The offers of all backends with the same credentials and regions. */
class SharedOffers {
  readonly offers: LiveOffers;
  /** The backend that was opened last asks for all. */
  asker: Pick<WholeCloud, 'offers'> = { offers: async () => [] };

  constructor(
    { title, freshMs }: Pick<VmKind<unknown>, 'title' | 'freshMs'>,
    facts: BackendHost['facts'],
    factKey: string,
  ) {
    const ask = () => this.asker.offers();
    this.offers = new LiveOffers({ title, ask, facts, factKey, freshMs, now: Date.now });
  }
}

/** Null: it is not set. */
export function endpointOf(env: ProcessEnv, variable: string): string | null {
  const text = env[variable]?.trim();
  if (!text) return null;
  const { protocol } = URL.parse(text) ?? {};
  if (protocol === 'https:' || protocol === 'http:') return withoutTrailingSlashes(text);
  throw new SettingsError(
    `${variable} is ${JSON.stringify(text)}; it must be an http or https URL`,
  );
}
