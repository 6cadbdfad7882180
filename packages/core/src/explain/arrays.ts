/** Texts about arrays. */

import type { ArrayRecord, MemberCounts, RunRecord } from '../model/index.ts';
import { aliveMembers, endedMembers, MOST_WAITING_MEMBERS } from '../status/index.ts';
import { instantText } from '../time/instant-text.ts';
import { type Reason, reason } from './diagnosis.ts';
import { listText } from './texts.ts';

/** The statuses that a text names, in its order. */
const NAMED: readonly (keyof MemberCounts)[] = [
  ...(['running', 'provisioning', 'terminating', 'done', 'failed', 'terminated'] as const),
];

const WAITING: readonly (keyof MemberCounts)[] = ['submitted', 'pending'];

/** `17 members running, 900 done, 3 failed and 40 waiting, of 1000` */
export function arrayText({ members, total }: Pick<ArrayRecord, 'members' | 'total'>): string {
  const waiting = WAITING.reduce((sum, status) => sum + members[status], 0);
  const parts = [
    ...NAMED.filter((status) => members[status] > 0).map(
      (status) => `${members[status]} ${status}`,
    ),
    ...(waiting > 0 ? [`${waiting} waiting`] : []),
  ];
  return `${listText(parts) || 'none born yet'}, of ${total} members`;
}

/** Why not all of its members are in the queue. */
export function arrayReasons(run: RunRecord, array: ArrayRecord): Reason[] {
  const { members, total, maxParallel } = array;
  const unborn = total - aliveMembers(members) - endedMembers(members);
  const reasons: Reason[] = [];
  if (run.hold !== null) {
    const { by, since } = run.hold;
    const text = `its members that wait are held by ${by} since ${instantText(since)}`;
    reasons.push(reason('held', text, { has: by, since }));
  } else if (unborn > 0) {
    const text = `${unborn} members follow as others get their places and end: at most ${MOST_WAITING_MEMBERS} of one array wait at a time, and \`max_parallel\` lets ${maxParallel} wait or run`;
    reasons.push(reason('array', text, { asked: String(total), has: String(maxParallel) }));
  }
  const waiting = members.submitted + members.pending;
  if (waiting > 0 && run.hold === null) {
    const text = `each member that waits has an explanation of its own, dstack explain ${run.name}-INDEX`;
    reasons.push(reason('array', text, { has: String(waiting) }));
  }
  return reasons;
}

export function endedArrayText(run: RunRecord, array: ArrayRecord): string {
  const { maxFailures } = array;
  const limit =
    run.terminationReason === 'job_failed' ? `; \`max_failures\` allows ${maxFailures}` : '';
  const user = run.terminationReason?.endsWith('by_user') ? ' when it was stopped' : '';
  return `it has ${arrayText(array)}${user}${limit}`;
}
