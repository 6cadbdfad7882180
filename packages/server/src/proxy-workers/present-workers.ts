import type { WorkerLink } from './worker-link.ts';

/**
 * Those of the workers of this build that need not be replaced: one that accepts connections, first, and those that get a
 * share of them. Where several accept, because the one by which they were started has ended or stands still, few of them
 * get most. One that answers comes before one that is unresponsive.
 */
export function presentWorkers<Link extends Pick<WorkerLink, 'isAccepting' | 'isUnresponsive'>>(
  own: readonly Link[],
): Link[] {
  const accepting = own.filter(({ isAccepting }) => isAccepting);
  const accepter = accepting.find(({ isUnresponsive }) => !isUnresponsive) ?? accepting[0];
  const others = own.filter(({ isAccepting }) => !isAccepting);
  return accepter ? [accepter, ...others] : others;
}
