/** Deadlines by which an agent, a host, a provider or a user's process has to answer. */
import type { DecisionContext, Timestamp } from '../model/index.ts';
import { SECOND } from '../model/values.ts';

/**
 * How long something waits before it is ended for want of an answer. It is not a number: a rule that adds it to a time would
 * ignore jumps of the time.
 */
export interface SilenceLimit {
  readonly ofSilence: Timestamp;
}

export const silence = (seconds: number): SilenceLimit => ({ ofSilence: seconds * SECOND });

/**
 * Until when something waits that has waited since `since`. After a jump of the time it waits anew: no answer could arrive in
 * between, or no time has passed at all.
 */
export function silenceDeadline(
  ctx: Pick<DecisionContext, 'jumpedAt'>,
  since: Timestamp,
  { ofSilence }: SilenceLimit,
): Timestamp {
  return Math.max(since, ctx.jumpedAt ?? 0) + ofSilence;
}
