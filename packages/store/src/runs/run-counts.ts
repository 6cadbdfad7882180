import { UNFINISHED_RUN_STATUSES } from '@dstack/contract/status';
import type { RunStatus, Timestamp } from '@dstack/core';
import { type RawBuilder, type SqlBool, sql } from 'kysely';
import type { StoreContext } from '../context/context.ts';
import type { RunCount, Runs } from './types.ts';

/** Spelled like the index `runs_ended_counts`. */
const ENDED = sql<SqlBool>`coalesce(status, '') in ('done', 'failed', 'terminated')`;

type RunCounts = Pick<Runs, 'unfinishedCounts' | 'endedCounts'>;

export function createRunCounts({ db }: StoreContext): RunCounts {
  const counted = async (where: RawBuilder<SqlBool>): Promise<readonly RunCount[]> => {
    const rows = await db
      .selectFrom('runs')
      .where(where)
      .select(['project_id', 'user_id', 'status'])
      .select((eb) => eb.fn.countAll<number>().as('count'))
      .groupBy(['project_id', 'user_id', 'status'])
      .execute();
    return rows.map((row) => ({
      ...{ projectId: row.project_id, userId: row.user_id },
      ...{ status: row.status as RunStatus, count: Number(row.count) },
    }));
  };
  /** Where a piece of `limit` runs ends; null: fewer are left. */
  const endOf = async (from: Timestamp, limit: number): Promise<Timestamp | null> => {
    const row = await db
      .selectFrom('runs')
      .select('last_processed_at as at')
      .where(ENDED)
      .where('last_processed_at', '>', from)
      .orderBy('last_processed_at')
      .limit(1)
      .offset(limit)
      .executeTakeFirst();
    return row?.at ?? null;
  };
  return {
    unfinishedCounts: () => counted(sql`status in (${sql.join(UNFINISHED_RUN_STATUSES)})`),
    async endedCounts(from, until, limit) {
      const end = await endOf(from, limit);
      const next = end === null || end >= until ? null : end;
      const counts = await counted(sql`${ENDED}
        and last_processed_at >= ${from} and last_processed_at < ${next ?? until}`);
      return { counts, next };
    },
  };
}
