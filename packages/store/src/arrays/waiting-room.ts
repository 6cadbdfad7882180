/** How many runs wait, for the limits of waiting runs: an array counts with all that may wait of it. */
import { ALIVE_RUN_STATUSES, isRunWaiting, WAITING_RUN_STATUSES } from '@dstack/contract/status';
import {
  aliveMembers,
  endedMembers,
  type Id,
  type MemberCounts,
  MOST_WAITING_MEMBERS,
  waitingMembers,
} from '@dstack/core';
import { type RawBuilder, type SqlBool, sql } from 'kysely';
import type { Tx } from '../context/context.ts';
import { arraysByIds } from './array-rows.ts';

/** Which runs `r` are counted. */
export type CountedRuns = RawBuilder<SqlBool>;

/**
 * Number of waiting runs by user. Members and their array are counted together: as many as its window
 * lets wait at one time, whether they are born yet or not, so that births never exceed a limit.
 */
export async function waitingByUser(tx: Tx, which: CountedRuns): Promise<Map<Id, number>> {
  const rows = await tx
    .selectFrom('runs as r')
    .select(['r.user_id'])
    .select((eb) => eb.fn.countAll<number>().as('waiting'))
    .where(which)
    .where('r.status', 'in', WAITING_RUN_STATUSES)
    // Spelled as in the partial indexes.
    .where(sql<SqlBool>`r.array_id is null`)
    .groupBy('r.user_id')
    .execute();
  const counts = new Map(rows.map((row) => [row.user_id, Number(row.waiting)]));
  const arrays = await tx
    .selectFrom('run_arrays as a')
    .innerJoin('runs as r', 'r.id', 'a.run_id')
    .select(['r.id', 'r.user_id', 'r.status'])
    .where(sql<SqlBool>`a.is_open = 1`)
    .where('r.status', 'in', ALIVE_RUN_STATUSES)
    .where(which)
    .execute();
  const known = await arraysByIds(
    tx,
    arrays.map(({ id }) => id),
  );
  for (const { id, user_id: userId, status } of arrays) {
    const array = known.get(id);
    if (array === undefined) continue;
    // Its own run was counted, and waits only for its members.
    const own = isRunWaiting(status) ? 1 : 0;
    counts.set(userId, (counts.get(userId) ?? 0) - own + mostWaiting(array));
  }
  return counts;
}

interface Window {
  readonly total: number;
  readonly maxParallel: number;
  readonly members: MemberCounts;
}

/**
 * Those that wait, and those that will be born beside them. More wait than are born for it where members have lost
 * their places.
 */
export function mostWaiting({ total, maxParallel, members }: Window): number {
  const left = Math.min(maxParallel, total - endedMembers(members));
  const waiting = waitingMembers(members);
  const placed = aliveMembers(members) - waiting;
  return Math.max(waiting, Math.min(left - placed, MOST_WAITING_MEMBERS));
}
