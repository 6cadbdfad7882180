import { RunpodBackendConfigWithCreds } from '@dstack/contract/wire';
import { containerKind } from '../base/container-cloud/container-kind.ts';
import type { BackendKind } from '../base/kind.ts';
import type { CallRule } from '../base/rest-vm/call-limiter.ts';
import { REAL_PACE } from '../base/rest-vm/pace.ts';

/** The limits that its document shows as an example; the answers of the API name those of an account. */
export const RUNPOD_RULES: readonly CallRule[] = [
  { calls: 60, seconds: 60 },
  { calls: 3000, seconds: 3600 },
];

export const runpodKind: BackendKind = containerKind({
  ...{ type: 'runpod', title: 'RunPod', endpoint: 'https://api.runpod.io', rules: RUNPOD_RULES },
  parse: (config) => RunpodBackendConfigWithCreds.parse(config),
  credentials: ({ creds }) => [creds.api_key],
  remembersLists: true,
  regions: ({ regions }) => regions,
  adapter: async ({ config, endpoint, limiter, listed }) => {
    const [{ Runpod }, { RunpodApi }] = await Promise.all([
      import('./runpod.ts'),
      import('./api.ts'),
    ]);
    const { creds, regions } = config;
    const api = new RunpodApi({ endpoint, limiter, apiKey: creds.api_key });
    return new Runpod({ api, regions, listed, apiKey: creds.api_key, pace: REAL_PACE });
  },
});
