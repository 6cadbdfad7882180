import type { FleetRecord, Id } from '@dstack/core';
import { sql } from 'kysely';
import type { Db, StoreContext, Tx } from '../context.ts';
import { forIds, groupBy, keyset, notDeleted } from '../query.ts';
import { UNFINISHED_RUN } from '../schema/statuses.ts';
import { fleetTable, instanceTable } from '../schema/work-tables.ts';
import type { FleetFilter, Fleets, FleetView } from './types.ts';

export function createFleets({ db }: StoreContext): Fleets {
  async function byNames(projectId: Id, names: readonly string[]): Promise<FleetView[]> {
    const rows = await forIds(names, (slice) =>
      fleetRows(db)
        .where('f.project_id', '=', projectId)
        .where('f.name', 'in', slice)
        .where(notDeleted('f.deleted'))
        .execute(),
    );
    return withInstances(db, rows);
  }

  return {
    list: (filter) => listFleets(db, filter),
    async byId(id) {
      const rows = await fleetRows(db).where('f.id', '=', id).execute();
      return (await withInstances(db, rows))[0] ?? null;
    },
    byName: async (projectId, name) => (await byNames(projectId, [name]))[0] ?? null,
    byNames,
    use: (fleetId) => fleetUse(db, fleetId),
    async sshFleets() {
      const rows = await db
        .selectFrom('fleets')
        .selectAll()
        .where(notDeleted('deleted'))
        .where(sql<string | null>`spec -> 'configuration' ->> 'ssh_config'`, 'is not', null)
        .execute();
      return rows.map(fleetTable.decode);
    },
  };
}

/** Fleets that projects import: a subquery of ids. */
export function importedFleets(db: Db | Tx, projectIds: readonly Id[]) {
  return db
    .selectFrom('imports as i')
    .innerJoin('exported_fleets as ef', 'ef.export_id', 'i.export_id')
    .select('ef.fleet_id')
    .where('i.project_id', 'in', projectIds.length === 0 ? [''] : [...projectIds]);
}

function fleetRows(db: Db) {
  return db
    .selectFrom('fleets as f')
    .innerJoin('projects as p', 'p.id', 'f.project_id')
    .selectAll('f')
    .select('p.name as project_name');
}

async function listFleets(db: Db, filter: FleetFilter): Promise<FleetView[]> {
  const order = keyset(filter.page, 'f.created_at', 'f.id');
  const { projectIds, page } = filter;
  if (projectIds?.length === 0) return [];
  let query = fleetRows(db).orderBy('f.created_at', order.timeOrder).orderBy('f.id', order.idOrder);
  if (projectIds === null) {
    query = query.where(notDeleted('p.deleted'));
  } else {
    query = query.where(({ or, eb }) =>
      or([
        eb('f.project_id', 'in', [...projectIds]),
        ...(filter.includeImported ? [eb('f.id', 'in', importedFleets(db, projectIds))] : []),
      ]),
    );
  }
  if (filter.onlyActive) query = query.where(notDeleted('f.deleted'));
  if (order.condition) query = query.where(order.condition);
  if (page?.limit !== undefined) query = query.limit(page.limit);
  return withInstances(db, await query.execute());
}

async function withInstances(
  db: Db,
  rows: readonly ({ readonly project_name: string } & object)[],
): Promise<FleetView[]> {
  const fleets = rows.map((row): [FleetRecord, string] => [
    fleetTable.decode(row),
    row.project_name,
  ]);
  const instances = await forIds(
    fleets.map(([fleet]) => fleet.id),
    (slice) =>
      db
        .selectFrom('instances')
        .selectAll()
        .where('fleet_id', 'in', slice)
        .where(notDeleted('deleted'))
        .orderBy('instance_num')
        .execute(),
  );
  const byFleet = groupBy(instances.map(instanceTable.decode), (instance) => instance.fleetId);
  return fleets.map(([fleet, projectName]) => ({
    fleet,
    projectName,
    instances: byFleet.get(fleet.id) ?? [],
  }));
}

async function fleetUse(db: Db, fleetId: Id) {
  const runs = await db
    .selectFrom('runs')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('fleet_id', '=', fleetId)
    .where('status', 'in', UNFINISHED_RUN)
    .executeTakeFirstOrThrow();
  const busy = await db
    .selectFrom('instances')
    .select('id')
    .where('fleet_id', '=', fleetId)
    .where(notDeleted('deleted'))
    .where(({ or, eb }) =>
      or([
        eb('busy_blocks', '>', 0),
        eb.and([eb('status', '=', 'pending'), eb('provisioning_job_id', 'is not', null)]),
      ]),
    )
    .execute();
  return { unfinishedRuns: Number(runs.count), busyInstances: busy.map((row) => row.id) };
}
