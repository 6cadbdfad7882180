import { HotAisleBackendConfigWithCreds } from '@dstack/contract/wire';
import type { BackendKind } from '../base/kind.ts';
import { ORDERS_FACT } from '../base/rest-vm/account-facts.ts';
import type { CallRule } from '../base/rest-vm/call-limiter.ts';
import { vmKind } from '../base/rest-vm/vm-kind.ts';

/** Hot Aisle publishes no limits. This is what its service should stand. */
const RULES: readonly CallRule[] = [{ calls: 10, seconds: 1 }];

export const hotAisleKind: BackendKind = vmKind({
  ...{ type: 'hotaisle', title: 'Hot Aisle', rules: RULES },
  endpoint: 'https://admin.hotaisle.app/api',
  parse: (config) => HotAisleBackendConfigWithCreds.parse(config),
  // One user may be in several teams, which share no machines.
  credentials: ({ creds, team_handle: team }) => [creds.api_key, team],
  regions: ({ regions }) => regions,
  adapter: async ({ config, endpoint, limiter, account, facts }) => {
    const [{ HotAisle }, { HotAisleApi }, { UnnamedOrders }] = await Promise.all([
      import('./hotaisle.ts'),
      import('./api.ts'),
      import('./unnamed-orders.ts'),
    ]);
    const { creds, regions, team_handle: team, bare_metal: bareMetal } = config;
    const api = new HotAisleApi({ endpoint, limiter, apiKey: creds.api_key, team });
    const orders = new UnnamedOrders({ facts, factKey: `${ORDERS_FACT}:${account}` });
    return new HotAisle({ api, team, regions, orders, bareMetal: bareMetal ?? false });
  },
});
