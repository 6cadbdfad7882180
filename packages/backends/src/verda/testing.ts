/** The adapter of Verda at a simulated account. */
import type { Cloud } from '@dstack/testkit/cloud';
import type { Backend } from '../base/port.ts';
import { AccessTokens } from '../base/rest-vm/access-tokens.ts';
import { CallLimiter } from '../base/rest-vm/call-limiter.ts';
import type { CallPace } from '../base/rest-vm/pace.ts';
import { vmBackend } from '../base/testing/vm-world.ts';
import { clientTokens, VerdaApi } from './api.ts';
import { Verda } from './verda.ts';

export interface VerdaAt {
  readonly cloud: Pick<Cloud, 'url' | 'apiKey'>;
  readonly pace: CallPace;
  readonly type?: 'verda' | 'datacrunch';
  readonly regions?: readonly string[] | null;
  readonly fetch?: typeof fetch;
}

export function verdaAt({ cloud, pace, type = 'verda', regions = null, fetch }: VerdaAt): Backend {
  const [id = '', secret = ''] = cloud.apiKey.split(':');
  const limiter = new CallLimiter({ title: 'Verda', rules: [], pace });
  const at = { endpoint: `${cloud.url}/v1`, limiter, timeoutMs: 30_000, ...(fetch && { fetch }) };
  const tokens = new AccessTokens(clientTokens(at, { id, secret }), () => pace.now());
  const api = new VerdaApi({ ...at, tokens });
  return vmBackend(new Verda({ type, api, regions, pace }), pace);
}
