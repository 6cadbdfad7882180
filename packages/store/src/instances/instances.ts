import { sql } from 'kysely';
import type { Db, StoreContext } from '../context.ts';
import { importedFleets } from '../fleets/fleets.ts';
import { forIds, keyset, notDeleted } from '../query.ts';
import { healthCheckTable, instanceTable } from '../schema/work-tables.ts';
import type { InstanceFilter, Instances, InstanceView } from './types.ts';

export function createInstances({ db }: StoreContext): Instances {
  return {
    list: (filter) => listInstances(db, filter),
    async byId(id) {
      const row = await instanceRows(db).where('i.id', '=', id).executeTakeFirst();
      return row ? toView(row) : null;
    },
    async byIds(ids) {
      const rows = await forIds(ids, (slice) =>
        db.selectFrom('instances').selectAll().where('id', 'in', slice).execute(),
      );
      return rows.map(instanceTable.decode);
    },
    async onHost(hostId) {
      const rows = await db
        .selectFrom('instances')
        .selectAll()
        .where('host_id', '=', hostId)
        .where(notDeleted('deleted'))
        .orderBy('created_at')
        .execute();
      return rows.map(instanceTable.decode);
    },
    async byNum(fleetId, instanceNum) {
      const row = await db
        .selectFrom('instances')
        .selectAll()
        .where('fleet_id', '=', fleetId)
        .where('instance_num', '=', instanceNum)
        .where(notDeleted('deleted'))
        .executeTakeFirst();
      return row ? instanceTable.decode(row) : null;
    },
    async healthChecks(instanceId, range) {
      let query = db
        .selectFrom('instance_health_checks')
        .selectAll()
        .where('instance_id', '=', instanceId)
        .orderBy('collected_at', 'desc')
        .orderBy('id');
      if (typeof range.after === 'number') query = query.where('collected_at', '>', range.after);
      if (typeof range.before === 'number') query = query.where('collected_at', '<', range.before);
      if (typeof range.limit === 'number') query = query.limit(range.limit);
      return (await query.execute()).map(healthCheckTable.decode);
    },
    async addHealthCheck(check) {
      await db
        .insertInto('instance_health_checks')
        .values(healthCheckTable.insert(check))
        .execute();
    },
    async deleteHealthChecksBefore(time) {
      const result = await db
        .deleteFrom('instance_health_checks')
        .where('collected_at', '<', time)
        .executeTakeFirst();
      return Number(result.numDeletedRows);
    },
  };
}

function instanceRows(db: Db) {
  return db
    .selectFrom('instances as i')
    .innerJoin('projects as p', 'p.id', 'i.project_id')
    .innerJoin('fleets as f', 'f.id', 'i.fleet_id')
    .selectAll('i')
    .select(['p.name as project_name', 'f.name as fleet_name']);
}

function toView(row: { project_name: string; fleet_name: string } & object): InstanceView {
  return {
    instance: instanceTable.decode(row),
    projectName: row.project_name,
    fleetName: row.fleet_name,
  };
}

async function listInstances(db: Db, filter: InstanceFilter): Promise<InstanceView[]> {
  const order = keyset(filter.page, 'i.created_at', 'i.id');
  const { projectIds, fleetIds, page } = filter;
  if (projectIds?.length === 0 || fleetIds?.length === 0) return [];
  let query = instanceRows(db)
    .orderBy('i.created_at', order.timeOrder)
    .orderBy('i.id', order.idOrder);
  if (projectIds === null) {
    query = query.where(notDeleted('p.deleted'));
  } else {
    query = query.where(({ or, eb }) =>
      or([
        eb('i.project_id', 'in', [...projectIds]),
        ...(filter.includeImported ? [eb('i.fleet_id', 'in', importedFleets(db, projectIds))] : []),
      ]),
    );
  }
  if (fleetIds) query = query.where('i.fleet_id', 'in', [...fleetIds]);
  if (filter.onlyActive) {
    query = query.where(notDeleted('i.deleted')).where('i.status', 'in', ['idle', 'busy']);
  }
  query = query.where(order.condition ?? sql<boolean>`true`);
  if (page?.limit !== undefined) query = query.limit(page.limit);
  return (await query.execute()).map(toView);
}
