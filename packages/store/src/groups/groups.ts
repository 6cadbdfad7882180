import type { GroupRecord, Id } from '@dstack/core';
import { notDeleted } from '../base/query.ts';
import type { Db, StoreContext, Tx } from '../context/context.ts';
import { groupTable } from '../schema/resource-tables.ts';
import type { Groups } from './types.ts';

export function createGroups({ db }: StoreContext): Groups {
  return {
    async byId(id) {
      const row = await db
        .selectFrom('provider_groups as g')
        .innerJoin('projects as p', 'p.id', 'g.project_id')
        .innerJoin('fleets as f', 'f.id', 'g.fleet_id')
        .selectAll('g')
        .select(['p.name as project_name', 'f.name as fleet_name'])
        .where('g.id', '=', id)
        .executeTakeFirst();
      if (!row) return null;
      const { project_name: projectName, fleet_name: fleetName } = row;
      return { group: groupTable.decode(row), projectName, fleetName };
    },
  };
}

/** Also deleted ones. */
export async function groupById(db: Db | Tx, id: Id): Promise<GroupRecord | null> {
  const row = await db
    .selectFrom('provider_groups')
    .selectAll()
    .where('id', '=', id)
    .executeTakeFirst();
  return row ? groupTable.decode(row) : null;
}

/** Not deleted. */
export async function groupsOfFleet(db: Db | Tx, fleetId: Id): Promise<GroupRecord[]> {
  const rows = await db
    .selectFrom('provider_groups')
    .selectAll()
    .where('fleet_id', '=', fleetId)
    .where(notDeleted('deleted'))
    .orderBy('created_at')
    .execute();
  return rows.map(groupTable.decode);
}
