import type { ProjectRole } from '@dstack/contract/wire';
import type { Id } from '@dstack/core';
import { sql } from 'kysely';
import { notDeleted } from '../base/query.ts';
import type { Db } from '../context/context.ts';
import { projectTable } from '../schema/account-tables.ts';
import type { ProjectAccess } from './types.ts';

/** Runs for every request with a project in its path, so it is a single statement. */
export async function projectAccess(
  db: Db,
  name: string,
  userId: Id,
): Promise<ProjectAccess | null> {
  const row = await db
    .selectFrom('projects as p')
    .leftJoin('members as m', (join) =>
      join.onRef('m.project_id', '=', 'p.id').on('m.user_id', '=', userId),
    )
    .selectAll('p')
    .select('m.role as member_role')
    .where(sql<string>`lower(p.name)`, '=', name.toLowerCase())
    .where(notDeleted('p.deleted'))
    .executeTakeFirst();
  if (!row) return null;
  return { project: projectTable.decode(row), role: row.member_role as ProjectRole | null };
}
