import type { StoreContext } from '../context.ts';
import { namedInsert } from '../named-insert.ts';
import { notDeleted } from '../query.ts';
import { computeGroupTable, placementGroupTable } from '../schema/resource-tables.ts';
import type { Groups } from './types.ts';

export function createGroups(context: StoreContext): Groups {
  const { db } = context;
  return {
    async placementGroups(fleetId) {
      const rows = await db
        .selectFrom('placement_groups')
        .selectAll()
        .where('fleet_id', '=', fleetId)
        .where(notDeleted('deleted'))
        .orderBy('created_at')
        .execute();
      return rows.map(placementGroupTable.decode);
    },
    insertPlacementGroup: (group) =>
      namedInsert(context, async ({ tx }) => {
        await tx.insertInto('placement_groups').values(placementGroupTable.insert(group)).execute();
      }),
    async updatePlacementGroup(id, version, set) {
      const result = await db
        .updateTable('placement_groups')
        .set({ ...placementGroupTable.update(set), version: version + 1 })
        .where('id', '=', id)
        .where('version', '=', version)
        .executeTakeFirst();
      return result.numUpdatedRows === 0n ? 'conflict' : 'updated';
    },
    async placementGroupsToDelete() {
      const rows = await db
        .selectFrom('placement_groups')
        .selectAll()
        .where('fleet_deleted', '=', true)
        .where(notDeleted('deleted'))
        .orderBy('created_at')
        .execute();
      return rows.map(placementGroupTable.decode);
    },
    async computeGroups(fleetId) {
      const rows = await db
        .selectFrom('compute_groups')
        .selectAll()
        .where('fleet_id', '=', fleetId)
        .where(notDeleted('deleted'))
        .orderBy('created_at')
        .execute();
      return rows.map(computeGroupTable.decode);
    },
    async insertComputeGroup(group) {
      await db.insertInto('compute_groups').values(computeGroupTable.insert(group)).execute();
    },
    async updateComputeGroup(id, version, set) {
      const result = await db
        .updateTable('compute_groups')
        .set({ ...computeGroupTable.update(set), version: version + 1 })
        .where('id', '=', id)
        .where('version', '=', version)
        .executeTakeFirst();
      return result.numUpdatedRows === 0n ? 'conflict' : 'updated';
    },
  };
}
