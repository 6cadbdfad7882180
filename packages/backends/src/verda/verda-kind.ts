import { VerdaBackendConfigWithCreds } from '@dstack/contract/wire';
import type { BackendKind } from '../base/kind.ts';
import type { CallRule } from '../base/rest-vm/call-limiter.ts';
import { REAL_PACE } from '../base/rest-vm/pace.ts';
import { vmKind } from '../base/rest-vm/vm-kind.ts';

/** Verda publishes no limits. This is what its service should stand. */
const RULES: readonly CallRule[] = [{ calls: 5, seconds: 1 }];

const kindOf = (type: 'verda' | 'datacrunch'): BackendKind =>
  vmKind({
    ...{ type, title: 'Verda', endpoint: 'https://api.verda.com/v1', rules: RULES },
    parse: (config) => VerdaBackendConfigWithCreds.parse(config),
    credentials: ({ creds }) => [creds.client_id, creds.client_secret],
    regions: ({ regions }) => regions,
    adapter: async ({ config, endpoint, limiter }) => {
      const [{ Verda }, { VerdaApi, clientTokens }, { AccessTokens }] = await Promise.all([
        ...([import('./verda.ts'), import('./api.ts')] as const),
        import('../base/rest-vm/access-tokens.ts'),
      ]);
      const { creds, regions } = config;
      const client = { id: creds.client_id, secret: creds.client_secret };
      const pace = REAL_PACE;
      const source = clientTokens({ endpoint, limiter }, client);
      const tokens = new AccessTokens(source, () => pace.now());
      const api = new VerdaApi({ endpoint, limiter, tokens });
      return new Verda({ type, api, regions, pace });
    },
  });

export const verdaKind = kindOf('verda');
/** The former name. */
export const dataCrunchKind = kindOf('datacrunch');
