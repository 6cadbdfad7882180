import type { Id, Timestamp } from '@dstack/core';
import { sql } from 'kysely';
import type { Db } from '../context.ts';
import { inProjects } from './list-runs.ts';
import type { PaidJob } from './types.ts';

/** Submissions that were alive between two moments; of all projects that are not deleted if null. */
export async function paidJobs(
  db: Db,
  projectIds: readonly Id[] | null,
  { since, until }: { readonly since: Timestamp; readonly until: Timestamp },
): Promise<PaidJob[]> {
  if (projectIds?.length === 0) return [];
  const rows = await db
    .selectFrom('jobs as j')
    .innerJoin('runs as r', 'r.id', 'j.run_id')
    .innerJoin('projects as p', 'p.id', 'r.project_id')
    .innerJoin('users as u', 'u.id', 'r.user_id')
    .where(inProjects(projectIds))
    .where('j.provisioning_data', 'is not', null)
    .where('j.submitted_at', '<', until)
    .where((eb) => eb.or([eb('j.finished_at', 'is', null), eb('j.finished_at', '>', since)]))
    .select(['r.id as run_id', 'r.name as run_name', 'j.submitted_at', 'j.finished_at'])
    .select(['p.name as project_name', 'u.name as user_name'])
    .select(sql<string | number | null>`j.provisioning_data ->> 'price'`.as('price'))
    .execute();
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
