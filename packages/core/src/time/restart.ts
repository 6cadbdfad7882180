import type { DecisionContext, Timestamp } from '../model/index.ts';

/**
 * From when a deadline counts by which a host or a provider has to answer. After a jump of the time it
 * starts again, because nothing could answer in between.
 */
export function countedFrom(ctx: Pick<DecisionContext, 'jumpedAt'>, since: Timestamp): Timestamp {
  return Math.max(since, ctx.jumpedAt ?? 0);
}
