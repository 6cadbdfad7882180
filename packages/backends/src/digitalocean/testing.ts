/** The adapter of DigitalOcean at a simulated account. */
import type { Cloud } from '@dstack/testkit/cloud';
import type { Backend } from '../base/port.ts';
import { CallLimiter } from '../base/rest-vm/call-limiter.ts';
import { LiveOffers } from '../base/rest-vm/live-offers.ts';
import type { CallPace } from '../base/rest-vm/pace.ts';
import { restVm } from '../base/rest-vm/rest-vm.ts';
import { sshWay } from '../base/rest-vm/ssh-way.ts';
import { DigitalOceanApi } from './api.ts';
import { DigitalOcean } from './digitalocean.ts';

export interface DigitalOceanAt {
  readonly cloud: Pick<Cloud, 'apiKey'>;
  /** URL of the simulated account, or of a proxy in front of it that judges requests. */
  readonly url: string;
  readonly pace: CallPace;
  readonly type?: 'digitalocean' | 'amddevcloud';
  readonly projectName?: string | null;
}

export function digitalOceanAt(at: DigitalOceanAt): Backend {
  const { cloud, url: endpoint, pace, type = 'digitalocean', projectName = null } = at;
  const title = 'DigitalOcean';
  const limiter = new CallLimiter({ title, rules: [], pace });
  const api = new DigitalOceanApi({
    ...{ title, endpoint, limiter, apiKey: cloud.apiKey, timeoutMs: 30_000 },
  });
  const adapter = new DigitalOcean({ type, title, api, regions: null, projectName });
  const facts = { get: async () => null, set: async () => {} };
  const ask = () => adapter.offers();
  const offers = new LiveOffers({ title, ask, facts, factKey: '', now: () => pace.now() });
  return restVm({
    ...{ cloud: adapter, offers, way: sshWay(adapter, 'secret', 7200), pace },
    leaseSeconds: 7200,
  });
}
