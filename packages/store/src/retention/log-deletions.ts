import { SECOND, type Timestamp } from '@dstack/core';
import { sql } from 'kysely';
import { forIds } from '../base/query.ts';
import type { StoreContext } from '../context/context.ts';
import { projectFolder } from './log-places.ts';
import type { Retention } from './types.ts';

type LogDeletions = Pick<
  Retention,
  | 'endedJobs'
  | 'logsDeleted'
  | 'pendingLogs'
  | 'postponeLogs'
  | 'pendingBlobs'
  | 'isBlobUsed'
  | 'deleted'
  | 'postponeBlob'
  | 'unknownJobs'
  | 'strayLogs'
>;

/** A project without settings of its own. */
const UNSET = {
  ...{ runs_seconds: null, logs_seconds: null, events_seconds: null, metrics_seconds: null },
};

/** No deletion waits for longer (µs): a later time was stored while the clock was ahead. */
const LONGEST_WAIT = 2 * 86_400 * SECOND;

const isDue = (until: Timestamp) =>
  sql<boolean>`(due_at <= ${until} or due_at > ${until + LONGEST_WAIT})`;

/** The data outside of the rows of runs: logs and blobs, in files or in tables of their own. */
export function createLogDeletions(context: StoreContext): LogDeletions {
  const { db } = context;
  async function unknown(jobIds: readonly string[]): Promise<string[]> {
    const rows = await forIds(jobIds, (slice) =>
      db.selectFrom('jobs').select('id').where('id', 'in', slice).execute(),
    );
    const known = new Set(rows.map(({ id }) => id));
    return jobIds.filter((id) => !known.has(id));
  }
  return {
    unknownJobs: unknown,
    async endedJobs(projectId, after, before, limit) {
      const rows = await db
        .selectFrom('jobs as j')
        .innerJoin('runs as r', 'r.id', 'j.run_id')
        .select(['j.id', 'j.finished_at', 'r.name'])
        .where('j.project_id', '=', projectId)
        .where('j.finished_at', '<', before)
        .where(sql<boolean>`(j.finished_at, j.id) > (${after.finishedAt}, ${after.jobId})`)
        .orderBy('j.finished_at')
        .orderBy('j.id')
        .limit(limit)
        .execute();
      if (rows.length === 0) return [];
      const project = await projectFolder(db, projectId);
      return rows.map(({ id, name, finished_at }) => ({
        ...{ project, run: name, jobId: id, finishedAt: finished_at ?? 0 },
      }));
    },
    logsDeleted: (projectId, { finishedAt, jobId }, jobIds) =>
      context.write(async ({ tx }) => {
        await forIds(jobIds, async (slice) => {
          await tx.deleteFrom('job_logs').where('job_id', 'in', slice).execute();
          return [];
        });
        const cursor = { logs_finished_at: finishedAt, logs_job_id: jobId };
        await tx
          .insertInto('project_retention')
          .values({ ...UNSET, project_id: projectId, ...cursor })
          .onConflict((conflict) => conflict.column('project_id').doUpdateSet(cursor))
          .execute();
      }),
    async pendingLogs(until, limit) {
      const rows = await db
        .selectFrom('pending_deletions')
        .select(['key', 'project', 'run'])
        .where('kind', '=', 'log')
        .where(isDue(until))
        .orderBy('due_at')
        .limit(limit)
        .execute();
      return rows.map(({ key, project, run }) => ({ project, run, jobId: key }));
    },
    async postponeLogs(places, until) {
      const rows = places.map(({ project, run, jobId }) => ({
        ...{ kind: 'log', key: jobId, project, run, due_at: until },
      }));
      await db
        .insertInto('pending_deletions')
        .values(rows)
        .onConflict((conflict) => conflict.columns(['kind', 'key']).doUpdateSet({ due_at: until }))
        .execute();
    },
    async pendingBlobs(until, limit) {
      const rows = await db
        .selectFrom('pending_deletions')
        .select('key')
        .where('kind', '=', 'blob')
        .where(isDue(until))
        .orderBy('due_at')
        .limit(limit)
        .execute();
      return rows.map(({ key }) => key);
    },
    async isBlobUsed(sha256) {
      for (const table of ['codes', 'file_archives'] as const) {
        const row = await db
          .selectFrom(table)
          .select('id')
          .where('sha256', '=', sha256)
          .executeTakeFirst();
        if (row) return true;
      }
      return false;
    },
    async deleted(kind, keys) {
      await context.write(async ({ tx }) => {
        await forIds(keys, async (slice) => {
          if (kind === 'log') {
            await tx.deleteFrom('job_logs').where('job_id', 'in', slice).execute();
          }
          await tx
            .deleteFrom('pending_deletions')
            .where('kind', '=', kind)
            .where('key', 'in', slice)
            .execute();
          return [];
        });
      });
    },
    async postponeBlob(sha256, until) {
      await db
        .updateTable('pending_deletions')
        .set({ due_at: until })
        .where('kind', '=', 'blob')
        .where('key', '=', sha256)
        .execute();
    },
    async strayLogs(after, limit) {
      const { rows } = await sql<{ job_id: string }>`
        with recursive logs(job_id, n) as (
          select (select min(job_id) from log_pieces where job_id > ${after}), 1
          union all
          select (select min(p.job_id) from log_pieces p where p.job_id > logs.job_id), n + 1
          from logs where logs.job_id is not null and n < ${sql.lit(limit)}
        )
        select job_id from logs where job_id is not null`.execute(db);
      const ids = rows.map(({ job_id }) => job_id);
      return { jobIds: await unknown(ids), next: ids.length < limit ? null : (ids.at(-1) ?? null) };
    },
  };
}
