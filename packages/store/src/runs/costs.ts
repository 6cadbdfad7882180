import type { Id, Timestamp } from '@dstack/core';
import { sql } from 'kysely';
import type { Db } from '../context.ts';
import { notDeleted } from '../query.ts';
import type { PaidJob } from './types.ts';

interface Period {
  readonly since: Timestamp;
  readonly until: Timestamp;
}

/** Jobs of one query: a query on SQLite blocks the server, and years have millions of jobs. */
const PAGE = 1000;

/**
 * Submissions that were alive between two moments, in pages; of all projects that are not deleted
 * if null. A page may be empty.
 */
export async function* paidJobs(
  db: Db,
  projectIds: readonly Id[] | null,
  period: Period,
  size = PAGE,
): AsyncGenerator<PaidJob[], void> {
  for (const projectId of projectIds ?? (await allProjects(db))) {
    // Active jobs first: one that ends while pages are read is then found again, never missed.
    const active = new Set<Id>();
    for (let after: Id | undefined = ''; after !== undefined; ) {
      const rows: Row[] = await activePage(db, projectId, after, period, size);
      for (const { job_id } of rows) active.add(job_id);
      yield paid(rows);
      after = rows.length < size ? undefined : rows.at(-1)?.job_id;
    }
    for (let after: Row | null | undefined = null; after !== undefined; ) {
      const rows: Row[] = await finishedPage(db, projectId, after, period, size);
      yield paid(rows.filter(({ job_id }) => !active.has(job_id)));
      after = rows.length < size ? undefined : rows.at(-1);
    }
  }
}

async function allProjects(db: Db): Promise<Id[]> {
  const query = db.selectFrom('projects').select('id').where(notDeleted('deleted')).orderBy('id');
  return (await query.execute()).map(({ id }) => id);
}

type Row = Awaited<ReturnType<typeof activePage>>[number];

function activePage(db: Db, projectId: Id, after: Id, { until }: Period, size: number) {
  return jobsOf(db, projectId, until)
    .where('j.finished_at', 'is', null)
    .where('j.id', '>', after)
    .orderBy('j.id')
    .limit(size)
    .execute();
}

function finishedPage(
  db: Db,
  projectId: Id,
  after: Row | null,
  { since, until }: Period,
  size: number,
) {
  const place =
    after === null
      ? sql<boolean>`j.finished_at > ${since}`
      : sql<boolean>`(j.finished_at, j.id) > (${after.finished_at}, ${after.job_id})`;
  return jobsOf(db, projectId, until)
    .where(place)
    .orderBy('j.finished_at')
    .orderBy('j.id')
    .limit(size)
    .execute();
}

/** Jobs without a price stay in the pages, so that the work of a query has a limit. */
function jobsOf(db: Db, projectId: Id, until: Timestamp) {
  const price = sql<string | number | null>`case when j.submitted_at < ${until}
    then j.provisioning_data ->> 'price' end`;
  return db
    .selectFrom('jobs as j')
    .innerJoin('runs as r', 'r.id', 'j.run_id')
    .innerJoin('projects as p', 'p.id', 'r.project_id')
    .innerJoin('users as u', 'u.id', 'r.user_id')
    .where('j.project_id', '=', projectId)
    .select(['j.id as job_id', 'r.id as run_id', 'r.name as run_name'])
    .select(['j.submitted_at', 'j.finished_at', 'p.name as project_name', 'u.name as user_name'])
    .select(price.as('price'));
}

function paid(rows: readonly Row[]): PaidJob[] {
  return rows.flatMap((row) => {
    const price = Number(row.price ?? 0);
    if (!(price > 0)) return [];
    return [
      {
        runId: row.run_id,
        runName: row.run_name,
        projectName: row.project_name,
        userName: row.user_name,
        price,
        submittedAt: row.submitted_at,
        finishedAt: row.finished_at,
      },
    ];
  });
}
