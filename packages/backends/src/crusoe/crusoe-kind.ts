import { CrusoeBackendConfigWithCreds } from '@dstack/contract/wire';
import type { BackendKind } from '../base/kind.ts';
import { OPEN_ORDERS_FACT, OWNERS_FACT } from '../base/rest-vm/account-facts.ts';
import type { CallRule } from '../base/rest-vm/call-limiter.ts';
import { vmKind } from '../base/rest-vm/vm-kind.ts';

/** Crusoe publishes no limits. This is what its service should stand. */
const RULES: readonly CallRule[] = [{ calls: 10, seconds: 1 }];

export const crusoeKind: BackendKind = vmKind({
  ...{ type: 'crusoe', title: 'Crusoe', rules: RULES },
  endpoint: 'https://api.cloud.crusoe.ai/v1alpha5',
  parse: (config) => CrusoeBackendConfigWithCreds.parse(config),
  credentials: ({ creds, project_id }) => [creds.access_key, creds.secret_key, project_id],
  regions: ({ regions }) => regions,
  adapter: async ({ config, endpoint, limiter, facts }) => {
    const [{ Crusoe }, { CrusoeApi }, { VmOwners }, { OpenOrders }] = await Promise.all([
      ...([
        import('./crusoe.ts'),
        import('./api.ts'),
        import('../base/rest-vm/vm-owners.ts'),
      ] as const),
      import('./open-orders.ts'),
    ]);
    const { creds, project_id: project, regions } = config;
    const { access_key: accessKey, secret_key: secretKey } = creds;
    const api = new CrusoeApi({ endpoint, limiter, accessKey, secretKey, project });
    // Facts are those of the project: they outlive the key.
    const key = (fact: string) => `${fact}:crusoe:${project}`;
    const owners = new VmOwners({ facts, factKey: key(OWNERS_FACT), now: Date.now });
    const orders = new OpenOrders({ facts, factKey: key(OPEN_ORDERS_FACT) });
    return new Crusoe({ api, regions, owners, orders });
  },
});
