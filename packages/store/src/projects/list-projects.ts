import type { Id } from '@dstack/core';
import { sql } from 'kysely';
import { containsIgnoringCase, keyset, notDeleted } from '../base/query.ts';
import type { Db } from '../context/context.ts';
import type { ProjectRecord } from '../schema/account-records.ts';
import { projectTable } from '../schema/account-tables.ts';
import type { ProjectFilter } from './types.ts';

export async function selectProjects(db: Db, filter: ProjectFilter): Promise<ProjectRecord[]> {
  const order = keyset(filter.page, 'projects.created_at', 'projects.id');
  let query = matching(db, filter)
    .selectAll()
    .orderBy('created_at', order.timeOrder)
    .orderBy('id', order.idOrder);
  if (order.condition) query = query.where(order.condition);
  if (filter.page?.limit !== undefined) query = query.limit(filter.page.limit);
  return (await query.execute()).map(projectTable.decode);
}

export async function countProjects(db: Db, filter: ProjectFilter): Promise<number> {
  const row = await matching(db, filter)
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .executeTakeFirstOrThrow();
  return Number(row.count);
}

export async function selectProjectsWithoutFleets(db: Db, userId: Id): Promise<ProjectRecord[]> {
  const rows = await db
    .selectFrom('projects')
    .selectAll('projects')
    .where(notDeleted('projects.deleted'))
    .where('projects.id', 'in', memberProjects(db, userId))
    .where(({ not, exists, selectFrom }) =>
      not(
        exists(
          selectFrom('fleets')
            .select(sql`1`.as('one'))
            .whereRef('fleets.project_id', '=', 'projects.id')
            .where(notDeleted('fleets.deleted')),
        ),
      ),
    )
    .where(({ not, exists, selectFrom }) =>
      not(
        exists(
          selectFrom('imports')
            .innerJoin('exported_fleets', 'exported_fleets.export_id', 'imports.export_id')
            .innerJoin('fleets', 'fleets.id', 'exported_fleets.fleet_id')
            .select(sql`1`.as('one'))
            .whereRef('imports.project_id', '=', 'projects.id')
            .where(notDeleted('fleets.deleted')),
        ),
      ),
    )
    .orderBy('projects.created_at')
    .orderBy('projects.id')
    .execute();
  return rows.map(projectTable.decode);
}

function matching(db: Db, filter: ProjectFilter) {
  let query = db.selectFrom('projects').where(notDeleted('deleted'));
  if (filter.id) query = query.where('id', '=', filter.id);
  if (filter.namePattern) query = query.where(containsIgnoringCase('name', filter.namePattern));
  const { visibleTo, ofUser } = filter;
  if (visibleTo) {
    query = query.where(({ or, eb }) =>
      or([
        eb('id', 'in', memberProjects(db, visibleTo.userId)),
        ...(visibleTo.includePublic ? [eb('is_public', '=', true)] : []),
      ]),
    );
  }
  if (ofUser) {
    query = query.where(({ or, eb }) =>
      or([eb('id', 'in', memberProjects(db, ofUser)), eb('owner_id', '=', ofUser)]),
    );
  }
  return query;
}

function memberProjects(db: Db, userId: Id) {
  return db.selectFrom('members').select('project_id').where('user_id', '=', userId);
}
