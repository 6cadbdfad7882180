/** How many runs wait, for the limits of waiting runs: an array counts with all that may wait of it. */
import { UNFINISHED_RUN_STATUSES, WAITING_RUN_STATUSES } from '@dstack/contract/status';
import {
  aliveMembers,
  endedMembers,
  type Id,
  type MemberCounts,
  MOST_WAITING_MEMBERS,
  waitingMembers,
} from '@dstack/core';
import { type RawBuilder, type SqlBool, sql } from 'kysely';
import type { Tx } from '../context.ts';
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
    .where('r.array_id', 'is', null)
    .where(sql<SqlBool>`not exists (select 1 from run_arrays a where a.run_id = r.id)`)
    .groupBy('r.user_id')
    .execute();
  const counts = new Map(rows.map((row) => [row.user_id, Number(row.waiting)]));
  const arrays = await tx
    .selectFrom('run_arrays as a')
    .innerJoin('runs as r', 'r.id', 'a.run_id')
    .select(['r.id', 'r.user_id'])
    .where(which)
    .where('r.status', 'in', UNFINISHED_RUN_STATUSES)
    .execute();
  const known = await arraysByIds(
    tx,
    arrays.map(({ id }) => id),
  );
  for (const { id, user_id: userId } of arrays) {
    const array = known.get(id);
    if (array === undefined) continue;
    counts.set(userId, (counts.get(userId) ?? 0) + mostWaiting(array));
  }
  return counts;
}

interface Window {
  readonly total: number;
  readonly maxParallel: number;
  readonly members: MemberCounts;
}

/** Those that wait, and those that will be born beside them. */
export function mostWaiting({ total, maxParallel, members }: Window): number {
  const left = Math.min(maxParallel, total - endedMembers(members));
  const placed = aliveMembers(members) - waitingMembers(members);
  return Math.max(0, Math.min(left - placed, MOST_WAITING_MEMBERS));
}
