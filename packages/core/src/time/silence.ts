/** Deadlines by which an agent, a host, a provider or a user's process has to answer. */
import type { DecisionContext, Timestamp } from '../model/index.ts';
import { SECOND } from '../model/values.ts';

/**
 * How long something waits before it is ended for want of an answer. It is not a number: a rule that adds it to a time would
 * ignore the times in which no answer could be noticed.
 */
export interface SilenceLimit {
  readonly ofSilence: Timestamp;
}

export const silence = (seconds: number): SilenceLimit => ({ ofSilence: seconds * SECOND });

/** Within this, a server that works again has asked every host and provider: links try again every 30 s at least. */
const FIRST_CONTACT = 60 * SECOND;

/**
 * Until when something waits that has waited since `since`: until an answer could have been noticed for the whole limit. Times in
 * which none could be do not count, so that it is given up even if servers restart more often than the limit is long. After
 * such a time it waits for the first contact in any case, unless it has had that chance several times and servers only end
 * sooner than it takes.
 */
export function silenceDeadline(
  { unobserved = [] }: Pick<DecisionContext, 'unobserved'>,
  since: Timestamp,
  { ofSilence }: SilenceLimit,
): Timestamp {
  let observed = 0;
  let from = since;
  for (const time of unobserved) {
    if (time.until <= since) continue;
    observed += Math.max(0, time.from - from);
    from = time.until;
  }
  const left = ofSilence - observed;
  if (from === since || left < -2 * FIRST_CONTACT) return from + Math.max(0, left);
  return from + Math.max(left, Math.min(ofSilence, FIRST_CONTACT));
}
