/** The adapter of RunPod at a simulated account. */
import type { Cloud } from '@dstack/testkit/cloud';
import { exampleWay } from '../base/container-cloud/testing.ts';
import type { AgentDialIns } from '../base/kind.ts';
import type { Backend } from '../base/port.ts';
import { CallLimiter } from '../base/rest-vm/call-limiter.ts';
import { LiveOffers } from '../base/rest-vm/live-offers.ts';
import type { CallPace } from '../base/rest-vm/pace.ts';
import { restVm } from '../base/rest-vm/rest-vm.ts';
import type { VmWay } from '../base/rest-vm/vm-way.ts';
import type { CatalogItem } from '../catalog/catalog.ts';
import { RunpodApi } from './api.ts';
import { Runpod } from './runpod.ts';
import { RUNPOD_RULES } from './runpod-kind.ts';

export interface RunpodAt {
  readonly cloud: Pick<Cloud, 'url' | 'apiKey'>;
  readonly pace: CallPace;
  readonly apiKey?: string;
  readonly regions?: readonly string[] | null;
  readonly listed?: readonly CatalogItem[];
  /** By default containers reach a server at `dstack.example`. */
  readonly way?: VmWay;
  /** By default no agent connects. */
  readonly dialIns?: AgentDialIns;
}

export function runpodAt({ cloud, pace, regions = null, listed = [], ...at }: RunpodAt): Backend {
  const { apiKey = cloud.apiKey } = at;
  const limiter = new CallLimiter({ title: 'RunPod', rules: RUNPOD_RULES, pace });
  const api = new RunpodApi({ endpoint: cloud.url, limiter, apiKey, timeoutMs: 5000 });
  const adapter = new Runpod({ api, apiKey, regions, listed: () => listed, pace });
  const facts = { get: async () => null, set: async () => {} };
  const ask = () => adapter.offers();
  const offers = new LiveOffers({
    ...{ title: 'RunPod', ask, facts, factKey: 'offers', now: () => pace.now() },
  });
  const way = at.way ?? exampleWay('RunPod', at.dialIns);
  return restVm({ cloud: adapter, offers, way, pace, leaseSeconds: 7200 });
}
