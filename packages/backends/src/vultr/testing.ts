/** The adapter of Vultr at a simulated account. */
import type { Cloud } from '@dstack/testkit/cloud';
import type { Backend } from '../base/port.ts';
import { CallLimiter } from '../base/rest-vm/call-limiter.ts';
import type { CallPace } from '../base/rest-vm/pace.ts';
import { vmBackend } from '../base/testing/vm-world.ts';
import { VultrApi } from './api.ts';
import { Vultr } from './vultr.ts';

export interface VultrAt {
  readonly cloud: Pick<Cloud, 'url'> & { readonly apiKey: string };
  readonly pace: CallPace;
  readonly regions?: readonly string[] | null;
  readonly fetch?: typeof fetch;
}

export function vultrAt({ cloud, pace, regions = null, fetch }: VultrAt): Backend {
  const limiter = new CallLimiter({ title: 'Vultr', rules: [], pace });
  const api = new VultrApi({
    ...{ endpoint: `${cloud.url}/v2`, limiter, apiKey: cloud.apiKey, timeoutMs: 30_000 },
    ...(fetch && { fetch }),
  });
  return vmBackend(new Vultr({ api, regions }), pace);
}
