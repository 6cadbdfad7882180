/** Stores what requests to models have used that were sent to the addresses of their services. */
import type { ProxyLog } from '../log.ts';
import type { UseStore } from './metered-use.ts';
import type { OnModelUse } from './model-use.ts';
import { UsageLog } from './usage-log.ts';

export interface ServiceUsageOptions {
  readonly modelUsage: UseStore;
  /** Microseconds. */
  readonly now: () => number;
  readonly log: ProxyLog;
}

const DAY = 86_400_000_000;

export function serviceUsage({ modelUsage, now, log }: ServiceUsageOptions): OnModelUse {
  const usage = new UsageLog(modelUsage);
  return async ({ account, model, tokens, isAborted }) => {
    if (account === null) return;
    const { promptTokens, completionTokens, isEstimated } = tokens;
    const counts = { requests: 1, aborted: isAborted ? 1 : 0, estimated: isEstimated ? 1 : 0 };
    try {
      await usage.add({
        ...{ ...account, tokenId: null, model, day: Math.floor(now() / DAY), ...counts },
        ...{ promptTokens, completionTokens },
      });
    } catch (error) {
      log.warn({ err: error, model }, 'the usage of a model was not stored');
    }
  };
}
