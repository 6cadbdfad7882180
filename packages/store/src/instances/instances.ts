import { AVAILABLE_INSTANCE_STATUSES, ENDING_INSTANCE_STATUSES } from '@dstack/contract/status';
import type { InstanceHandle } from '@dstack/core';
import { sql } from 'kysely';
import type { VersionedKey } from '../base/key-list.ts';
import { forIds, keyset, notDeleted } from '../base/query.ts';
import type { Db, StoreContext } from '../context/context.ts';
import { importedFleets } from '../fleets/fleets.ts';
import { fleetTable, healthCheckTable, instanceTable } from '../schema/work-tables.ts';
import type { InstanceFilter, Instances, InstanceView } from './types.ts';

type Reads = Pick<StoreContext, 'db' | 'records'>;

export function createInstances(context: StoreContext): Instances {
  const { db } = context;
  return {
    list: (filter) => listInstances(context, filter),
    async byId(id) {
      const keys = await instanceKeys(db).where('i.id', '=', id).execute();
      return (await toViews(context, keys))[0] ?? null;
    },
    async byIds(ids) {
      const rows = await forIds(ids, (slice) =>
        db.selectFrom('instances').selectAll().where('id', 'in', slice).execute(),
      );
      return rows.map(instanceTable.decode);
    },
    async viewsByIds(ids) {
      const keys = await forIds(ids, (slice) =>
        instanceKeys(db).where('i.id', 'in', slice).execute(),
      );
      return toViews(context, keys);
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
    async madeBy(projectId, backend) {
      const rows = await db
        .selectFrom('instances')
        .select(['id', 'handle'])
        .where('project_id', '=', projectId)
        .where('backend', '=', backend)
        .where(notDeleted('deleted'))
        .where('status', 'not in', ENDING_INSTANCE_STATUSES)
        .where('handle', 'is not', null)
        .execute();
      return rows.map(({ id, handle }) => ({ id, handle: handleIn(handle) }));
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
    async byNames(projectId, names) {
      const keys = await forIds([...new Set(names)], (slice) =>
        instanceKeys(db)
          .where('i.project_id', '=', projectId)
          .where('i.name', 'in', slice)
          .where(notDeleted('i.deleted'))
          .where('i.status', 'not in', ENDING_INSTANCE_STATUSES)
          .execute(),
      );
      return toViews(context, keys);
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
    async deleteHealthChecksBefore(time, limit) {
      const result = await sql`delete from instance_health_checks where id in (
        select id from instance_health_checks where collected_at < ${time}
        order by collected_at limit ${sql.lit(limit)})`.execute(db);
      return Number(result.numAffectedRows ?? 0);
    },
  };
}

function handleIn(text: unknown): InstanceHandle {
  const { id, data = null } = JSON.parse(String(text)) as Partial<InstanceHandle>;
  return { id: String(id), data };
}

function instanceKeys(db: Db) {
  return db
    .selectFrom('instances as i')
    .innerJoin('projects as p', 'p.id', 'i.project_id')
    .innerJoin('fleets as f', 'f.id', 'i.fleet_id')
    .select(['i.id', 'i.version', 'p.name as project_name'])
    .select(['f.id as fleet_id', 'f.version as fleet_version']);
}

interface NamedKey extends VersionedKey {
  readonly project_name: string;
  readonly fleet_id: string;
  readonly fleet_version: number;
}

async function toViews({ db, records }: Reads, keys: readonly NamedKey[]): Promise<InstanceView[]> {
  const names = new Map(keys.map((key) => [key.id, key.project_name]));
  const versions = new Map(keys.map((key) => [key.fleet_id, key.fleet_version]));
  const fleetKeys = [...versions].map(([id, version]) => ({ id, version }));
  const found = await records.read(db, fleetTable, fleetKeys);
  const fleets = new Map(found.map((fleet) => [fleet.id, fleet]));
  return (await records.read(db, instanceTable, keys)).flatMap((instance) => {
    const fleet = fleets.get(instance.fleetId);
    const projectName = names.get(instance.id) ?? '';
    return fleet === undefined ? [] : [{ instance, projectName, fleet }];
  });
}

async function listInstances(context: Reads, filter: InstanceFilter): Promise<InstanceView[]> {
  const { db } = context;
  const order = keyset(filter.page, 'i.created_at', 'i.id');
  const { projectIds, fleetIds, page } = filter;
  if (projectIds?.length === 0 || fleetIds?.length === 0) return [];
  let query = instanceKeys(db)
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
    query = query
      .where(notDeleted('i.deleted'))
      .where('i.status', 'in', AVAILABLE_INSTANCE_STATUSES);
  }
  query = query.where(order.condition ?? sql<boolean>`true`);
  if (page?.limit !== undefined) query = query.limit(page.limit);
  return toViews(context, await query.execute());
}
