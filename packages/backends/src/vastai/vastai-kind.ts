import { VastAIBackendConfigWithCreds } from '@dstack/contract/wire';
import { containerKind } from '../base/container-cloud/container-kind.ts';
import type { BackendKind } from '../base/kind.ts';
import { CallLimiter, type CallRule } from '../base/rest-vm/call-limiter.ts';
import { REAL_PACE } from '../base/rest-vm/pace.ts';
import type { TakenAsks } from './taken-asks.ts';

/**
 * For each endpoint it has a least time between two calls: 4.5 s for orders, 1 s for lists. That for ends is not
 * documented.
 */
export const VASTAI_RULES: readonly CallRule[] = [
  { calls: 1, seconds: 4.5, kind: 'create' },
  { calls: 1, seconds: 1, kind: 'end' },
  { calls: 1, seconds: 1, kind: 'look' },
];
/** Beside the others: it has a quota for each day, after which it is refused for hours. */
export const SEARCH_RULES: readonly CallRule[] = [{ calls: 10, seconds: 60 }];
/** As dstack 0.22.5 keeps them: rows of searches are counted. */
const FRESH_MS = 180_000;
const TITLE = 'Vast.ai';

/** The parts that all backends of an account share. */
interface Account {
  readonly search: CallLimiter;
  readonly taken: TakenAsks;
}

const accounts = new WeakMap<CallLimiter, Account>();

export const vastaiKind: BackendKind = containerKind({
  ...{ type: 'vastai', title: TITLE, endpoint: 'https://console.vast.ai', rules: VASTAI_RULES },
  freshMs: FRESH_MS,
  parse: (config) => VastAIBackendConfigWithCreds.parse(config),
  credentials: ({ creds }) => [creds.api_key],
  regions: ({ regions, community_cloud: community }) => [
    community === false ? 'data centres' : 'all',
    ...(regions ?? []),
  ],
  adapter: async ({ config, endpoint, limiter }) => {
    const [{ Vastai }, { VastaiApi }, { TakenAsks }] = await Promise.all([
      import('./vastai.ts'),
      import('./api.ts'),
      import('./taken-asks.ts'),
    ]);
    const { creds, regions, community_cloud } = config;
    const account = accounts.get(limiter) ?? {
      search: new CallLimiter({ title: TITLE, rules: SEARCH_RULES, pace: REAL_PACE }),
      taken: new TakenAsks(REAL_PACE),
    };
    accounts.set(limiter, account);
    const { search, taken } = account;
    const api = new VastaiApi({ endpoint, limiter, search, apiKey: creds.api_key });
    return new Vastai({ api, taken, regions, hasCommunity: community_cloud ?? true });
  },
});
