/** The adapter of Lambda at a simulated account. */
import type { Cloud } from '@dstack/testkit/cloud';
import type { Backend } from '../base/port.ts';
import { CallLimiter } from '../base/rest-vm/call-limiter.ts';
import type { CallPace } from '../base/rest-vm/pace.ts';
import { vmBackend } from '../base/testing/vm-world.ts';
import { LambdaApi } from './api.ts';
import { Lambda } from './lambda.ts';
import { LAMBDA_RULES } from './limits.ts';

export interface LambdaAt {
  readonly cloud: Pick<Cloud, 'url' | 'apiKey' | 'account'>;
  readonly pace: CallPace;
  readonly apiKey?: string;
  readonly regions?: readonly string[] | null;
}

export function lambdaAt({ cloud, pace, apiKey, regions = null }: LambdaAt): Backend {
  const limiter = new CallLimiter({ title: 'Lambda', rules: LAMBDA_RULES, pace });
  const endpoint = cloud.url;
  const api = new LambdaApi({ endpoint, limiter, apiKey: apiKey ?? cloud.apiKey, timeoutMs: 5000 });
  const adapter = new Lambda({ api, regions, known: () => [] });
  return vmBackend(adapter, pace);
}
