import type { Id } from '@dstack/core';
import { type RawBuilder, type SqlBool, sql } from 'kysely';
import type { Db, StoreContext } from '../context.ts';
import { keyset } from '../query.ts';
import { UNFINISHED_RUN } from '../schema/statuses.ts';
import { runKeys, toViews } from './run-views.ts';
import type { RunFilter, RunView } from './types.ts';

/**
 * The page is found first, by what the indexes hold: rows are wide, and sorting those of ten
 * thousand active runs would cost ten times as much.
 */
export async function listRuns(
  reads: Pick<StoreContext, 'db' | 'records'>,
  filter: RunFilter,
): Promise<RunView[]> {
  if (filter.projectIds?.length === 0) return [];
  const order = keyset(filter.page, 'r.submitted_at', 'r.id');
  const keys = await runKeys(reads)
    .where('r.id', 'in', page(reads.db, filter))
    .orderBy('r.submitted_at', order.timeOrder)
    .orderBy('r.id', order.idOrder)
    .execute();
  return toViews(reads, keys, {
    jobs: filter.includeJobs ?? false,
    submissionsLimit: filter.submissionsLimit,
  });
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
