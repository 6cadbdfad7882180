import { VultrBackendConfigWithCreds } from '@dstack/contract/wire';
import type { BackendKind } from '../base/kind.ts';
import type { CallRule } from '../base/rest-vm/call-limiter.ts';
import { vmKind } from '../base/rest-vm/vm-kind.ts';

/** Vultr publishes 30 requests in a second for each address; other programs may use it too. */
const RULES: readonly CallRule[] = [{ calls: 20, seconds: 1 }];

export const vultrKind: BackendKind = vmKind({
  ...{ type: 'vultr', title: 'Vultr', endpoint: 'https://api.vultr.com/v2', rules: RULES },
  parse: (config) => VultrBackendConfigWithCreds.parse(config),
  credentials: ({ creds }) => [creds.api_key],
  regions: ({ regions }) => regions,
  adapter: async ({ config, endpoint, limiter }) => {
    const [{ Vultr }, { VultrApi }] = await Promise.all([import('./vultr.ts'), import('./api.ts')]);
    const api = new VultrApi({ endpoint, limiter, apiKey: config.creds.api_key });
    return new Vultr({ api, regions: config.regions });
  },
});
