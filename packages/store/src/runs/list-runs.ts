import type { Id } from '@dstack/core';
import { sql } from 'kysely';
import type { Db } from '../context.ts';
import { keyset } from '../query.ts';
import { UNFINISHED_RUN } from '../schema/statuses.ts';
import { runRows, toViews } from './run-views.ts';
import type { RunFilter, RunView } from './types.ts';

export async function listRuns(db: Db, filter: RunFilter): Promise<RunView[]> {
  if (filter.projectIds?.length === 0) return [];
  const rows = await page(db, filter).execute();
  return toViews(db, rows, {
    jobs: filter.includeJobs ?? false,
    submissionsLimit: filter.submissionsLimit,
  });
}

function page(db: Db, filter: RunFilter) {
  const order = keyset(filter.page, 'r.submitted_at', 'r.id');
  let query = runRows(db).orderBy('r.submitted_at', order.timeOrder).orderBy('r.id', order.idOrder);
  query = query.where(inProjects(filter.projectIds));
  if (filter.userId) query = query.where('r.user_id', '=', filter.userId);
  if (filter.repoId) query = query.where(sql<string>`r.spec ->> 'repo_id'`, '=', filter.repoId);
  if (filter.onlyActive) query = query.where('r.status', 'in', UNFINISHED_RUN);
  if (order.condition) query = query.where(order.condition);
  if (filter.page?.limit !== undefined) query = query.limit(filter.page.limit);
  return query;
}

function inProjects(projectIds: readonly Id[] | null) {
  if (projectIds === null) return sql<boolean>`not p.deleted`;
  return sql<boolean>`r.project_id in (${sql.join([...projectIds])})`;
}
