/** The adapter of Vast.ai at a simulated account. */
import type { Cloud } from '@dstack/testkit/cloud';
import { exampleWay } from '../base/container-cloud/testing.ts';
import type { Backend } from '../base/port.ts';
import { CallLimiter } from '../base/rest-vm/call-limiter.ts';
import { LiveOffers } from '../base/rest-vm/live-offers.ts';
import type { CallPace } from '../base/rest-vm/pace.ts';
import { restVm } from '../base/rest-vm/rest-vm.ts';
import { VastaiApi } from './api.ts';
import { TakenAsks } from './taken-asks.ts';
import { Vastai } from './vastai.ts';
import { SEARCH_RULES, VASTAI_RULES } from './vastai-kind.ts';

export interface VastaiAt {
  readonly cloud: Pick<Cloud, 'url' | 'apiKey'>;
  readonly pace: CallPace;
  readonly apiKey?: string;
  readonly regions?: readonly string[] | null;
  readonly hasCommunity?: boolean;
}

export function vastaiAt({ cloud, pace, ...at }: VastaiAt): Backend {
  const { apiKey = cloud.apiKey, regions = null, hasCommunity = true } = at;
  const title = 'Vast.ai';
  const limiter = new CallLimiter({ title, rules: VASTAI_RULES, pace });
  const search = new CallLimiter({ title, rules: SEARCH_RULES, pace });
  const api = new VastaiApi({ endpoint: cloud.url, limiter, search, apiKey, timeoutMs: 5000 });
  const adapter = new Vastai({ api, regions, hasCommunity, taken: new TakenAsks(pace) });
  const facts = { get: async () => null, set: async () => {} };
  const offers = new LiveOffers({
    ...{ title, facts, factKey: 'offers', now: () => pace.now() },
    ask: () => adapter.offers(),
  });
  const way = exampleWay(title);
  return restVm({ cloud: adapter, offers, way, pace, leaseSeconds: 7200 });
}
