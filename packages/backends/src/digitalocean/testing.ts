/** The adapter of DigitalOcean at a simulated account. */
import type { Cloud } from '@dstack/testkit/cloud';
import type { Backend } from '../base/port.ts';
import { CallLimiter } from '../base/rest-vm/call-limiter.ts';
import type { CallPace } from '../base/rest-vm/pace.ts';
import { vmBackend } from '../base/testing/vm-world.ts';
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
  return vmBackend(adapter, pace);
}
