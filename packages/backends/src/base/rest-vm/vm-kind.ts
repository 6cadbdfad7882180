/** The descriptor of a kind of backend whose provider has machines and an HTTP API. */
import { type ProcessEnv, SettingsError, withoutTrailingSlashes } from '@dstack/contract';
import type { BackendType } from '@dstack/contract/wire';
import { type CatalogItem, catalogItems } from '../../catalog/catalog.ts';
import type { BackendHost, BackendKind, BackendOpener } from '../kind.ts';
import { OFFERS_FACT } from './account-facts.ts';
import { AccountLimiters, accountId } from './accounts.ts';
import type { CallLimiter, CallRule } from './call-limiter.ts';
import { LiveOffers } from './live-offers.ts';
import { REAL_PACE } from './pace.ts';
import { restVm } from './rest-vm.ts';
import { sshWay } from './ssh-way.ts';
import type { VmCloud } from './vm-cloud.ts';
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
  /** Loads the adapter. */
  readonly adapter: (parts: AdapterParts<Config>) => Promise<VmCloud>;
}

export interface AdapterParts<Config> {
  readonly config: Config;
  /** Without a slash at its end. */
  readonly endpoint: string;
  readonly limiter: CallLimiter;
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
      return { type: kind.type, load: async (host) => openerOf(kind, endpoint, host, sshWay) };
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
  { facts, sharedFacts = null, catalog }: BackendHost,
  wayOf: (cloud: VmCloud, secret: string) => VmWay,
): BackendOpener {
  const { type, title, rules } = kind;
  const pace = REAL_PACE;
  const limiters = new AccountLimiters({ title, rules, pace, facts: sharedFacts });
  return {
    open: async (given, secret) => {
      const config = kind.parse(given);
      const account = accountId(endpoint, ...kind.credentials(config));
      const scope = accountId(account, ...(kind.regions(config) ?? []));
      const { limiter, leave } = limiters.join(account);
      const listed = () => catalogItems(catalog, type);
      const cloud = await kind.adapter({ config, endpoint, limiter, listed });
      const ask = () => cloud.offers();
      const factKey = `${OFFERS_FACT}:${type}:${scope}`;
      const offers = new LiveOffers({ title, ask, facts, factKey, now: Date.now });
      const way = wayOf(cloud, secret);
      const close = () => {
        leave();
        way.close?.();
      };
      return { backend: restVm({ cloud, offers, way, pace }), close };
    },
  };
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
