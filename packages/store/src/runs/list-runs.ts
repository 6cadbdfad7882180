import { FAILED_RUN_STATUSES, UNFINISHED_RUN_STATUSES } from '@dstack/contract/status';
import type { Id } from '@dstack/core';
import { type RawBuilder, type SqlBool, sql } from 'kysely';
import { SHOWN_MEMBERS } from '../arrays/shown-members.ts';
import { keyset, notDeleted } from '../base/query.ts';
import type { Db, StoreContext } from '../context/context.ts';
import { NAMED_RUN, toViews, withNames } from './run-views.ts';
import type { RunFilter, RunView } from './types.ts';

/** Beyond this many projects, one walk through the newest runs is cheaper. */
const MAX_BRANCHES = 100;

export async function listRuns(
  reads: Pick<StoreContext, 'db' | 'records' | 'postgres' | 'read' | 'now'>,
  filter: RunFilter,
): Promise<RunView[]> {
  if (filter.projectIds?.length === 0) return [];
  const order = keyset(filter.page, 'r.submitted_at', 'r.id');
  const keys = await (await pageKeys(reads.db, filter))
    .orderBy('r.submitted_at', order.timeOrder)
    .orderBy('r.id', order.idOrder)
    .execute();
  return toViews(reads, keys, {
    jobs: filter.includeJobs ?? false,
    submissionsLimit: filter.submissionsLimit,
    members: SHOWN_MEMBERS.list,
  });
}

async function pageKeys(db: Db, filter: RunFilter) {
  const projects = filter.projectIds?.length ?? 1;
  if (projects === 1 && !filter.onlyActive && !filter.onlyFailed && !filter.status) {
    // An index contains them in order, and sorting them again would be most of the work.
    return withNames(db.selectFrom(page(db, filter).select(NAMED_RUN).as('r')));
  }
  const branches = await pageByProjects(db, filter);
  // Found by the columns of the indexes: rows are wide, and sorting those of ten thousand active
  // runs would cost ten times as much.
  const found = branches ?? page(db, filter).select('r.id');
  return withNames(db.selectFrom('runs as r').where('r.id', 'in', found));
}

/**
 * One ordered and limited search in each project, each along an index, and the first of all that they
 * find: a single search in several projects would sort all their runs, ended ones too. Null: there is
 * no limit, too many projects, or only active runs, which are few.
 */
async function pageByProjects(db: Db, filter: RunFilter) {
  const limit = filter.page?.limit;
  if (limit === undefined || filter.onlyActive || filter.userId || filter.arrayId) return null;
  const projectIds = filter.projectIds ?? (await firstProjects(db));
  if (projectIds.length === 0 || projectIds.length > MAX_BRANCHES) return null;
  const order = keyset(filter.page, 'submitted_at', 'id');
  const searches = projectIds.map((id) => {
    const own = page(db, { ...filter, projectIds: [id] }).select(['r.id', 'r.submitted_at']);
    return sql`select * from (${own}) own`;
  });
  return sql<string>`(select id from (${sql.join(searches, sql` union all `)}) found
    order by submitted_at ${sql.raw(order.timeOrder)}, id ${sql.raw(order.idOrder)} limit ${limit})`;
}

/** One more than are searched one by one shows that there are more. */
async function firstProjects(db: Db): Promise<readonly Id[]> {
  const rows = await db
    .selectFrom('projects')
    .select('id')
    .where(notDeleted('deleted'))
    .limit(MAX_BRANCHES + 1)
    .execute();
  return rows.map(({ id }) => id);
}

function page(db: Db, filter: RunFilter) {
  const order = keyset(filter.page, 'r.submitted_at', 'r.id');
  let query = db
    .selectFrom('runs as r')
    .where(inProjects(filter.projectIds))
    .orderBy('r.submitted_at', order.timeOrder)
    .orderBy('r.id', order.idOrder);
  // Spelled as in the partial indexes.
  query =
    filter.arrayId === undefined
      ? query.where(sql<SqlBool>`r.array_id is null`)
      : query.where('r.array_id', '=', filter.arrayId);
  if (filter.status) query = query.where('r.status', '=', filter.status);
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
