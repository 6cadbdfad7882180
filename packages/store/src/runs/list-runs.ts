import { FAILED_RUN_STATUSES, UNFINISHED_RUN_STATUSES } from '@dstack/contract/status';
import type { Id } from '@dstack/core';
import { type RawBuilder, type SqlBool, sql } from 'kysely';
import type { Db, StoreContext } from '../context.ts';
import { keyset, notDeleted } from '../query.ts';
import { NAMED_RUN, toViews, withNames } from './run-views.ts';
import type { RunFilter, RunView } from './types.ts';

export async function listRuns(
  reads: Pick<StoreContext, 'db' | 'records'>,
  filter: RunFilter,
): Promise<RunView[]> {
  if (filter.projectIds?.length === 0) return [];
  const order = keyset(filter.page, 'r.submitted_at', 'r.id');
  const keys = await pageKeys(reads.db, filter)
    .orderBy('r.submitted_at', order.timeOrder)
    .orderBy('r.id', order.idOrder)
    .execute();
  return toViews(reads, keys, {
    jobs: filter.includeJobs ?? false,
    submissionsLimit: filter.submissionsLimit,
  });
}

function pageKeys(db: Db, filter: RunFilter) {
  const found = page(db, filter);
  const projects = filter.projectIds?.length ?? 1;
  if (projects === 1 && !filter.onlyActive && !filter.onlyFailed) {
    // An index contains them in order, and sorting them again would be most of the work.
    return withNames(db.selectFrom(found.select(NAMED_RUN).as('r')));
  }
  // Found by the columns of the indexes: rows are wide, and sorting those of ten thousand active
  // runs would cost ten times as much.
  return withNames(db.selectFrom('runs as r').where('r.id', 'in', found.select('r.id')));
}

function page(db: Db, filter: RunFilter) {
  const order = keyset(filter.page, 'r.submitted_at', 'r.id');
  let query = db
    .selectFrom('runs as r')
    .where(inProjects(filter.projectIds))
    .orderBy('r.submitted_at', order.timeOrder)
    .orderBy('r.id', order.idOrder);
  if (filter.userId) query = query.where('r.user_id', '=', filter.userId);
  if (filter.repoId) query = query.where(sql<string>`r.spec ->> 'repo_id'`, '=', filter.repoId);
  if (filter.onlyActive) query = query.where('r.status', 'in', UNFINISHED_RUN_STATUSES);
  if (filter.onlyFailed) {
    query = query.where('r.status', 'in', FAILED_RUN_STATUSES).where(notDeleted('r.deleted'));
  }
  if (order.condition) query = query.where(order.condition);
  if (filter.page?.limit !== undefined) query = query.limit(filter.page.limit);
  return query;
}

export function inProjects(projectIds: readonly Id[] | null): RawBuilder<SqlBool> {
  if (projectIds !== null) return sql`r.project_id in (${sql.join([...projectIds])})`;
  return sql`r.project_id not in (select id from projects where deleted)`;
}
