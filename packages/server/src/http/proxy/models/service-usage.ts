/** Stores what requests to models have used that were sent to the addresses of their services. */
import type { Timestamp } from '@dstack/core';
import type { OnModelUse } from '@dstack/proxy';
import type { ModelUsage } from '@dstack/store';
import type { Logger } from '../../../process/logging.ts';
import { UsageLog } from './usage-log.ts';

export interface ServiceUsageOptions {
  readonly modelUsage: Pick<ModelUsage, 'add'>;
  readonly now: () => Timestamp;
  readonly log: Logger;
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
