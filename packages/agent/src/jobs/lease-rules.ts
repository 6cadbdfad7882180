/** The steps of an agent without its server, as a function of time. */

import type { StoredLease, Uptime } from '@dstack/contract/agent';

export type LeaseTerms = Pick<StoredLease, 'seconds' | 'renewed'>;

export type LeaseStep =
  /** Check again after this many seconds; null = when a job has ended. */
  | { readonly kind: 'wait'; readonly seconds: number | null }
  /** Ends the jobs that have no limit of their own. */
  | { readonly kind: 'stop-jobs'; readonly grace: boolean; readonly seconds: number | null }
  | { readonly kind: 'end' };

/**
 * A starting agent waits this long for its server, or one lease if that is shorter: while it did not
 * run, the server could not reach it.
 */
const START_GRACE = 60;

/**
 * Without jobs the machine ends with its lease. Jobs have a second lease; after it they are
 * stopped, and after a third they are killed.
 */
export function leaseStep(
  { seconds, renewed }: LeaseTerms,
  now: Uptime,
  { hasJobs, startedAt }: { readonly hasJobs: boolean; readonly startedAt: Uptime },
): LeaseStep {
  const lapsed = secondsSince(renewed, now);
  if (lapsed < seconds) return { kind: 'wait', seconds: seconds - lapsed };
  const grace = Math.min(seconds, START_GRACE) - secondsSince(startedAt, now);
  if (grace > 0) return { kind: 'wait', seconds: grace };
  if (!hasJobs) return { kind: 'end' };
  if (lapsed < 2 * seconds) return { kind: 'wait', seconds: 2 * seconds - lapsed };
  if (lapsed < 3 * seconds) {
    return { kind: 'stop-jobs', grace: true, seconds: 3 * seconds - lapsed };
  }
  return { kind: 'stop-jobs', grace: false, seconds: null };
}

/**
 * After a reboot only the time since then counts, because the time that the machine was off is
 * unknown.
 */
function secondsSince(from: Uptime, to: Uptime): number {
  const isSameBoot = from.bootId === to.bootId && to.seconds >= from.seconds;
  return isSameBoot ? to.seconds - from.seconds : to.seconds;
}
