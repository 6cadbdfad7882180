import { UNFINISHED_JOB_STATUSES, UNFINISHED_RUN_STATUSES } from '@dstack/contract/status';
import type { Id } from '@dstack/core';
import { sql } from 'kysely';
import type { VersionedKey } from '../base/key-list.ts';
import { forIds, groupBy, keyset, notDeleted } from '../base/query.ts';
import type { Db, StoreContext, Tx } from '../context/context.ts';
import { fleetTable } from '../schema/work-tables.ts';
import { instancesOfFleets } from './instances-of-fleets.ts';
import type { FleetFilter, Fleets, FleetView } from './types.ts';

type Reads = Pick<StoreContext, 'db' | 'records'>;

export function createFleets(context: StoreContext): Fleets {
  const { db } = context;

  async function byNames(projectId: Id, names: readonly string[]): Promise<FleetView[]> {
    const keys = await forIds(names, (slice) =>
      fleetKeys(db)
        .where('f.project_id', '=', projectId)
        .where('f.name', 'in', slice)
        .where(notDeleted('f.deleted'))
        .execute(),
    );
    return toViews(context, keys);
  }

  return {
    list: (filter) => listFleets(context, filter),
    async byId(id) {
      const keys = await fleetKeys(db).where('f.id', '=', id).execute();
      return (await toViews(context, keys))[0] ?? null;
    },
    async recordById(id) {
      const keys = await db
        .selectFrom('fleets')
        .select(['id', 'version'])
        .where('id', '=', id)
        .execute();
      return (await context.records.read(db, fleetTable, keys))[0] ?? null;
    },
    async viewsByIds(ids) {
      const keys = await forIds(ids, (slice) => fleetKeys(db).where('f.id', 'in', slice).execute());
      return toViews(context, keys);
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

function fleetKeys(db: Db) {
  return db
    .selectFrom('fleets as f')
    .innerJoin('projects as p', 'p.id', 'f.project_id')
    .select(['f.id', 'f.version', 'p.name as project_name']);
}

async function listFleets(context: Reads, filter: FleetFilter): Promise<FleetView[]> {
  const { db } = context;
  const order = keyset(filter.page, 'f.created_at', 'f.id');
  const { projectIds, page } = filter;
  if (projectIds?.length === 0) return [];
  let query = fleetKeys(db).orderBy('f.created_at', order.timeOrder).orderBy('f.id', order.idOrder);
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
  return toViews(context, await query.execute());
}

async function toViews(
  { db, records }: Reads,
  keys: readonly (VersionedKey & { readonly project_name: string })[],
): Promise<FleetView[]> {
  const projectNames = new Map(keys.map((key) => [key.id, key.project_name]));
  const fleets = await records.read(db, fleetTable, keys);
  const ids = fleets.map((fleet) => fleet.id);
  const instances = await instancesOfFleets(db, records, ids);
  const byFleet = groupBy(instances, (instance) => instance.fleetId);
  return fleets.map((fleet) => ({
    fleet,
    projectName: projectNames.get(fleet.id) ?? '',
    instances: byFleet.get(fleet.id) ?? [],
  }));
}

async function fleetUse(db: Db, fleetId: Id) {
  const runs = await db
    .selectFrom('runs as r')
    .select(['r.name', 'r.project_id'])
    .where('r.status', 'in', UNFINISHED_RUN_STATUSES)
    .where(({ or, eb, exists, selectFrom }) =>
      or([
        eb('r.fleet_id', '=', fleetId),
        exists(
          selectFrom('jobs as j')
            .innerJoin('instances as i', 'i.id', 'j.instance_id')
            .select('j.id')
            .whereRef('j.run_id', '=', 'r.id')
            .where('j.status', 'in', UNFINISHED_JOB_STATUSES)
            .where('i.fleet_id', '=', fleetId),
        ),
      ]),
    )
    .orderBy('r.submitted_at')
    .execute();
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
  return {
    runs: runs.map((row) => ({ name: row.name, projectId: row.project_id })),
    busyInstances: busy.map((row) => row.id),
  };
}
