/** Numbers of members of an array. */
import {
  FINISHED_RUN_STATUSES,
  RUN_STATUSES,
  UNFINISHED_RUN_STATUSES,
} from '@dstack/contract/status';
import type { MemberCounts } from '../model/arrays.ts';
import type { RunStatus } from '../model/names.ts';

const sum = (members: MemberCounts, statuses: readonly RunStatus[]): number =>
  statuses.reduce((total, status) => total + members[status], 0);

/** Born and not ended. */
export const aliveMembers = (members: MemberCounts): number =>
  sum(members, UNFINISHED_RUN_STATUSES);

export const endedMembers = (members: MemberCounts): number => sum(members, FINISHED_RUN_STATUSES);

/** In the queue, or in a delay of `retry`. */
export const waitingMembers = (members: MemberCounts): number =>
  sum(members, ['submitted', 'pending']);

/**
 * The most members of one array that wait at a time: enough for every pass of placement to find some. Others
 * are born as these get their places, so an array of thousands costs the queue no more than one of a hundred.
 */
export const MOST_WAITING_MEMBERS = 100;

export const NO_MEMBERS: MemberCounts = Object.fromEntries(
  RUN_STATUSES.map((status) => [status, 0]),
) as Record<RunStatus, number>;
