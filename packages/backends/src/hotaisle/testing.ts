/** The adapter of Hot Aisle at a simulated account. */
import type { Cloud } from '@dstack/testkit/cloud';
import type { Backend } from '../base/port.ts';
import { amendedFacts } from '../base/rest-vm/amended-facts.ts';
import { CallLimiter } from '../base/rest-vm/call-limiter.ts';
import type { CallPace } from '../base/rest-vm/pace.ts';
import { factsInMemory, vmBackend } from '../base/testing/vm-world.ts';
import { HotAisleApi } from './api.ts';
import { HotAisle } from './hotaisle.ts';
import { UnnamedOrders } from './unnamed-orders.ts';

export interface HotAisleAt {
  readonly cloud: Pick<Cloud, 'apiKey'>;
  /** URL of the simulated API, or of a proxy in front of it that judges requests. */
  readonly url: string;
  readonly pace: CallPace;
  /** Another one: another server. Omitted: nothing is known. */
  readonly facts?: ReturnType<typeof factsInMemory>;
  readonly team?: string;
  readonly bareMetal?: boolean;
}

export function hotAisleAt(at: HotAisleAt): Backend {
  const { cloud, url: endpoint, pace, team = 'ada', bareMetal = false } = at;
  const facts = at.facts ?? factsInMemory();
  const limiter = new CallLimiter({ title: 'Hot Aisle', rules: [], pace });
  const api = new HotAisleApi({
    ...{ endpoint, limiter, apiKey: cloud.apiKey, team, timeoutMs: 30_000 },
  });
  const amended = { ...amendedFacts(facts, () => pace.now()), get: facts.get };
  const orders = new UnnamedOrders({ facts: amended, factKey: 'orders' });
  return vmBackend(new HotAisle({ api, team, regions: null, orders, bareMetal }), pace);
}
