/** The adapter of Crusoe at a simulated account. */
import type { Cloud } from '@dstack/testkit/cloud';
import type { Backend } from '../base/port.ts';
import { amendedFacts } from '../base/rest-vm/amended-facts.ts';
import { CallLimiter } from '../base/rest-vm/call-limiter.ts';
import type { CallPace } from '../base/rest-vm/pace.ts';
import { VmOwners } from '../base/rest-vm/vm-owners.ts';
import { factsInMemory, vmBackend } from '../base/testing/vm-world.ts';
import { CrusoeApi } from './api.ts';
import { Crusoe } from './crusoe.ts';
import { OpenOrders } from './open-orders.ts';

export interface CrusoeAt {
  readonly cloud: Pick<Cloud, 'apiKey'>;
  /** URL of the simulated API, or of a proxy in front of it that judges requests. */
  readonly url: string;
  readonly pace: CallPace;
  /** Another one: another database. Omitted: nothing is known. */
  readonly facts?: ReturnType<typeof factsInMemory>;
  readonly regions?: readonly string[] | null;
  readonly fetch?: typeof fetch;
  /** Milliseconds since the epoch, by the clock of the server. */
  readonly now?: () => number;
}

/** That of the simulated account. */
const PROJECT = '6e28cad3-98e6-47a9-a9fc-1cd83a7f25c1';

export function crusoeAt({ cloud, url: endpoint, pace, regions = null, ...at }: CrusoeAt): Backend {
  const { facts = factsInMemory(), fetch, now } = at;
  const [accessKey = '', secretKey = ''] = cloud.apiKey.split(':');
  const limiter = new CallLimiter({ title: 'Crusoe', rules: [], pace });
  const api = new CrusoeApi({
    ...{ endpoint, limiter, accessKey, secretKey, project: PROJECT, timeoutMs: 30_000 },
    ...(fetch && { fetch }),
    ...(now && { now }),
  });
  const amended = { ...amendedFacts(facts, () => pace.now()), get: facts.get };
  const owners = new VmOwners({ facts: amended, factKey: 'owners', now: () => pace.now() });
  const orders = new OpenOrders({ facts: amended, factKey: 'orders' });
  return vmBackend(new Crusoe({ api, regions, owners, orders }), pace);
}
