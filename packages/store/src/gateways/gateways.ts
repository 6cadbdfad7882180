import type { Id } from '@dstack/core';
import { forIds, groupBy, notDeleted } from '../base/query.ts';
import type { Updated } from '../base/writes.ts';
import { recordChange } from '../changes/record-change.ts';
import { chooseName, lockNames } from '../context/choose-name.ts';
import type { Db, StoreContext } from '../context/context.ts';
import { gatewayTable, replicaTable } from '../schema/resource-tables.ts';
import { createReplicas } from './replicas.ts';
import { createReports, gatewayReportsOf } from './reports.ts';
import type { GatewayReplicaRecord, Gateways, GatewayView } from './types.ts';

export function createGateways(context: StoreContext): Gateways {
  const { db } = context;
  return {
    async list(projectId, options) {
      const rows = await gatewayRows(db)
        .where(notDeleted('g.deleted'))
        .where(({ or, eb }) =>
          or([
            eb('g.project_id', '=', projectId),
            ...(options?.includeImported
              ? [eb('g.id', 'in', importedGateways(db, [projectId]))]
              : []),
          ]),
        )
        .orderBy('g.created_at', 'desc')
        .orderBy('g.id')
        .execute();
      return withReplicas(db, rows);
    },
    async byId(id) {
      const rows = await gatewayRows(db).where('g.id', '=', id).execute();
      return (await withReplicas(db, rows))[0] ?? null;
    },
    async viewsByIds(ids) {
      const rows = await forIds(ids, (slice) =>
        gatewayRows(db).where('g.id', 'in', slice).execute(),
      );
      return withReplicas(db, rows);
    },
    async byName(projectId, name) {
      const rows = await gatewayRows(db)
        .where('g.project_id', '=', projectId)
        .where('g.name', '=', name)
        .where(notDeleted('g.deleted'))
        .execute();
      return (await withReplicas(db, rows))[0] ?? null;
    },
    insert: (projectId, name, build) =>
      context.write(async ({ tx, add, changed }) => {
        await lockNames(context, tx, 'gateway', projectId);
        const chosen = await chooseName(tx, 'gateway', projectId, name);
        if (chosen === null) return { type: 'name-taken' };
        const { gateway, ...extras } = build(chosen);
        add(extras);
        changed(recordChange('gateway', gateway.id, gateway.version));
        await tx.insertInto('gateways').values(gatewayTable.insert(gateway)).execute();
        return { type: 'created', gateway };
      }),
    update: (id, version, set, extras) =>
      context.write<Updated>(async ({ tx, add, changed, abort }) => {
        add(extras);
        changed(recordChange('gateway', id, version + 1));
        const result = await tx
          .updateTable('gateways')
          .set({ ...gatewayTable.update(set), version: version + 1 })
          .where('id', '=', id)
          .where('version', '=', version)
          .executeTakeFirst();
        return result.numUpdatedRows === 0n ? abort('conflict') : 'updated';
      }),
    ...createReplicas(context),
    ...createReports(context),
  };
}

/** Gateways that projects import: a subquery of ids. */
export function importedGateways(db: Db, projectIds: readonly Id[]) {
  return db
    .selectFrom('imports as i')
    .innerJoin('exported_gateways as eg', 'eg.export_id', 'i.export_id')
    .select('eg.gateway_id')
    .where('i.project_id', 'in', projectIds.length === 0 ? [''] : [...projectIds]);
}

function gatewayRows(db: Db) {
  return db
    .selectFrom('gateways as g')
    .innerJoin('projects as p', 'p.id', 'g.project_id')
    .selectAll('g')
    .select('p.name as project_name');
}

async function withReplicas(
  db: Db,
  rows: readonly ({ readonly project_name: string } & object)[],
): Promise<GatewayView[]> {
  const gateways = rows.map((row) => ({ gateway: gatewayTable.decode(row), row }));
  const replicas = await forIds(
    gateways.map(({ gateway }) => gateway.id),
    (slice) =>
      db
        .selectFrom('gateway_replicas')
        .selectAll()
        .where('gateway_id', 'in', slice)
        .orderBy('replica_num')
        .orderBy('created_at')
        .execute(),
  );
  const known = replicas.map(replicaTable.decode);
  const reports = await gatewayReportsOf(
    db,
    known.filter(({ deleted }) => !deleted).map(({ id }) => id),
  );
  const withFiles = await forIds(
    gateways.map(({ gateway }) => gateway.id),
    (slice) =>
      db
        .selectFrom('gateway_certificates')
        .select('gateway_id')
        .distinct()
        .where('gateway_id', 'in', slice)
        .execute(),
  );
  const filed = new Set(withFiles.map((row) => row.gateway_id));
  const byGateway = groupBy(known, (replica) => replica.gatewayId);
  return gateways.map(({ gateway, row }) => {
    const own = newestPerNum(byGateway.get(gateway.id) ?? []);
    const ids = new Set(own.map(({ id }) => id));
    return {
      gateway,
      projectName: row.project_name,
      replicas: own,
      reports: reports.filter(({ replicaId }) => ids.has(replicaId)),
      hasFiles: filed.has(gateway.id),
    };
  });
}

/** Takes them by number, then oldest first. */
function newestPerNum(replicas: readonly GatewayReplicaRecord[]): GatewayReplicaRecord[] {
  return [...new Map(replicas.map((replica) => [replica.replicaNum, replica])).values()];
}
