/** Deletion of what a project may keep for a time of its own: events and metrics. */
import { UNFINISHED_JOB_STATUSES } from '@dstack/contract/status';
import type { Id, Timestamp } from '@dstack/core';
import { sql } from 'kysely';
import { forIds } from '../base/query.ts';
import type { StoreContext } from '../context/context.ts';
import type { Retention } from './types.ts';

type OwnPeriods = Pick<
  Retention,
  'deleteEvents' | 'deleteEventsOf' | 'deleteMeans' | 'deleteMetrics'
>;

const HOUR = 3600;

export function createOwnPeriods(context: StoreContext): OwnPeriods {
  const { db } = context;
  /** `kept`: whether a project that keeps it for longer is named. */
  const isKept = (kept: string, projectIds: readonly Id[]) =>
    projectIds.length === 0
      ? sql.lit(0)
      : sql`case when exists (${sql.raw(kept)} in (${sql.join(projectIds)})) then 1 else 0 end`;
  return {
    async deleteEvents(before, { projectIds, after }, limit) {
      const named = isKept(
        'select 1 from event_targets t where t.event_id = events.id and t.project_id',
        projectIds,
      );
      const { rows } = await sql<{ id: Id; at: number; kept: number }>`
        select id, recorded_at as at, ${named} as kept from events
        where recorded_at < ${before} and recorded_at > ${after}
        order by recorded_at limit ${sql.lit(limit)}`.execute(db);
      const due = rows.filter(({ kept }) => Number(kept) === 0).map(({ id }) => id);
      await forIds(due, async (slice) => {
        await db.deleteFrom('events').where('id', 'in', slice).execute();
        return [];
      });
      return { seen: rows.length, last: Number(rows.at(-1)?.at ?? after) };
    },
    async deleteEventsOf(projectId, before, limit) {
      const result = await sql`delete from events where id in (
        select t.event_id from event_targets t
        where t.project_id = ${projectId} and t.recorded_at < ${before}
          and not exists (select 1 from event_targets o
            where o.event_id = t.event_id and o.project_id <> ${projectId})
        order by t.recorded_at limit ${sql.lit(limit)})`.execute(db);
      return Number(result.numAffectedRows ?? 0);
    },
    async deleteMeans(before, { projectIds, after }, limit) {
      const kept = isKept(
        'select 1 from jobs j where j.id = job_metrics_means.job_id and j.project_id',
        projectIds,
      );
      const { rows } = await sql<{ job_id: Id; at: number; kept: number }>`
        select job_id, timestamp_micro as at, ${kept} as kept from job_metrics_means
        where seconds = ${HOUR} and timestamp_micro < ${before} and timestamp_micro > ${after}
        order by timestamp_micro limit ${sql.lit(limit)}`.execute(db);
      const due = rows.filter((row) => Number(row.kept) === 0);
      if (due.length > 0) {
        const keys = due.map(
          ({ job_id, at }) => sql`(cast(${job_id} as text), cast(${at} as bigint))`,
        );
        await sql`delete from job_metrics_means
          where (job_id, timestamp_micro) in (values ${sql.join(keys)})`.execute(db);
      }
      return { seen: rows.length, last: Number(rows.at(-1)?.at ?? after) };
    },
    async deleteMetrics({ projectId, metricsDeletedTo }, before, limit) {
      const { finishedAt, jobId } = metricsDeletedTo;
      const ended = await db
        .selectFrom('jobs')
        .select(['id', 'finished_at'])
        .where('project_id', '=', projectId)
        .where('finished_at', '<', before)
        .where(sql<boolean>`(finished_at, id) > (${finishedAt}, ${jobId})`)
        .orderBy('finished_at')
        .orderBy('id')
        .limit(limit)
        .execute();
      const last = ended.at(-1);
      if (last === undefined) return await deleteOfRunning(context, projectId, before, limit);
      await context.write(async ({ tx }) => {
        const ids = ended.map(({ id }) => id);
        for (const table of ['job_metrics_points', 'job_metrics_means'] as const) {
          await forIds(ids, async (slice) => {
            await tx.deleteFrom(table).where('job_id', 'in', slice).execute();
            return [];
          });
        }
        await tx
          .updateTable('project_retention')
          .set({ metrics_finished_at: last.finished_at ?? 0, metrics_job_id: last.id })
          .where('project_id', '=', projectId)
          .execute();
      });
      return ended.length;
    },
  };
}

/** Jobs that run are few; each is found by its key. */
async function deleteOfRunning(
  { db }: StoreContext,
  projectId: Id,
  before: Timestamp,
  limit: number,
): Promise<number> {
  const unfinished = sql.join(UNFINISHED_JOB_STATUSES.map((status) => sql.lit(status)));
  let count = 0;
  for (const table of ['job_metrics_points', 'job_metrics_means']) {
    const result = await sql`delete from ${sql.table(table)} where (job_id, timestamp_micro) in (
      select m.job_id, m.timestamp_micro from ${sql.table(table)} m
      join jobs j on j.id = m.job_id
      where j.project_id = ${projectId} and j.status in (${unfinished})
        and m.timestamp_micro < ${before}
      limit ${sql.lit(limit)})`.execute(db);
    count += Number(result.numAffectedRows ?? 0);
  }
  return count;
}
