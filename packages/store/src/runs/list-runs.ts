import type { Id } from '@dstack/core';
import { type RawBuilder, type SqlBool, sql } from 'kysely';
import type { Db } from '../context.ts';
import { keyset } from '../query.ts';
import { UNFINISHED_RUN } from '../schema/statuses.ts';
import { runRows, toViews } from './run-views.ts';
import type { RunFilter, RunView } from './types.ts';

/**
 * The page is found first, by what the indexes hold: rows are wide, and sorting those of ten
 * thousand active runs would cost ten times as much.
 */
export async function listRuns(db: Db, filter: RunFilter): Promise<RunView[]> {
  if (filter.projectIds?.length === 0) return [];
  const ids = (await page(db, filter).execute()).map((row) => row.id);
  if (ids.length === 0) return [];
  const rows = await runRows(db).where('r.id', 'in', ids).execute();
  const views = await toViews(db, rows, {
    jobs: filter.includeJobs ?? false,
    submissionsLimit: filter.submissionsLimit,
  });
  const byId = new Map(views.map((view) => [view.run.id, view]));
  return ids.flatMap((id) => byId.get(id) ?? []);
}

function page(db: Db, filter: RunFilter) {
  const order = keyset(filter.page, 'r.submitted_at', 'r.id');
  let query = db
    .selectFrom('runs as r')
    .select('r.id')
    .where(inProjects(filter.projectIds))
    .orderBy('r.submitted_at', order.timeOrder)
    .orderBy('r.id', order.idOrder);
  if (filter.userId) query = query.where('r.user_id', '=', filter.userId);
  if (filter.repoId) query = query.where(sql<string>`r.spec ->> 'repo_id'`, '=', filter.repoId);
  if (filter.onlyActive) query = query.where('r.status', 'in', UNFINISHED_RUN);
  if (order.condition) query = query.where(order.condition);
  if (filter.page?.limit !== undefined) query = query.limit(filter.page.limit);
  return query;
}

function inProjects(projectIds: readonly Id[] | null): RawBuilder<SqlBool> {
  if (projectIds !== null) return sql`r.project_id in (${sql.join([...projectIds])})`;
  return sql`r.project_id not in (select id from projects where deleted)`;
}
