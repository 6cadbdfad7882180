import { RunpodBackendConfigWithCreds } from '@dstack/contract/wire';
import { containerKind } from '../base/container-cloud/container-kind.ts';
import type { BackendKind } from '../base/kind.ts';
import type { CallLimiter, CallRule } from '../base/rest-vm/call-limiter.ts';
import { REAL_PACE } from '../base/rest-vm/pace.ts';
import type { RunpodMemory } from './memory.ts';

/** The limits that its document shows as an example; the answers of the API name those of an account. */
export const RUNPOD_RULES: readonly CallRule[] = [
  { calls: 60, seconds: 60 },
  { calls: 3000, seconds: 3600 },
];

/** One for each account: a list that one backend has read serves all backends of the account. */
const memories = new WeakMap<CallLimiter, RunpodMemory>();

export const runpodKind: BackendKind = containerKind({
  ...{ type: 'runpod', title: 'RunPod', endpoint: 'https://api.runpod.io', rules: RUNPOD_RULES },
  parse: (config) => RunpodBackendConfigWithCreds.parse(config),
  credentials: ({ creds }) => [creds.api_key],
  regions: ({ regions }) => regions,
  adapter: async ({ config, endpoint, limiter, listed }) => {
    const [{ Runpod }, { RunpodApi }, { RunpodMemory }] = await Promise.all([
      import('./runpod.ts'),
      import('./api.ts'),
      import('./memory.ts'),
    ]);
    const { creds, regions } = config;
    const memory = memories.get(limiter) ?? new RunpodMemory();
    memories.set(limiter, memory);
    const api = new RunpodApi({ endpoint, limiter, apiKey: creds.api_key });
    return new Runpod({ api, regions, listed, apiKey: creds.api_key, memory, pace: REAL_PACE });
  },
});
