import type { Id } from '@dstack/core';
import { notDeleted } from '../base/query.ts';
import { projectChange } from '../changes/record-change.ts';
import type { RecordChange } from '../changes/types.ts';
import type { StoreContext, Tx } from '../context/context.ts';
import { namedInsert } from '../context/named-insert.ts';
import { importedFleets } from '../fleets/fleets.ts';
import { importedGateways } from '../gateways/gateways.ts';
import { refreshPools } from '../pools/refresh.ts';
import { exportTable } from '../schema/resource-tables.ts';
import { exportViews } from './export-views.ts';
import type { ExportChange, Exports } from './types.ts';

export function createExports(context: StoreContext): Exports {
  const { db } = context;
  return {
    async list(projectId) {
      const rows = await db
        .selectFrom('exports')
        .select('id')
        .where('project_id', '=', projectId)
        .orderBy('created_at', 'desc')
        .orderBy('id')
        .execute();
      return exportViews(
        db,
        rows.map((row) => row.id),
      );
    },
    async byName(projectId, name) {
      const row = await db
        .selectFrom('exports')
        .select('id')
        .where('project_id', '=', projectId)
        .where('name', '=', name)
        .executeTakeFirst();
      return row ? ((await exportViews(db, [row.id]))[0] ?? null) : null;
    },
    insert: (record, content, extras) =>
      namedInsert(context, async (write) => {
        const { tx, add, changed } = write;
        add(extras);
        await tx.insertInto('exports').values(exportTable.insert(record)).execute();
        await change(context, tx, record.id, {
          isGlobal: record.isGlobal,
          addImporters: content.importers,
          addFleets: content.fleets,
          addGateways: content.gateways,
        });
        changed(...(await concerned(tx, record.id)));
        await refreshPools(context, write, record.projectId);
      }),
    update: (id, set, extras) =>
      context.write(async (write) => {
        const { tx, add, changed } = write;
        add(extras);
        changed(...(await concerned(tx, id)));
        await change(context, tx, id, set);
        changed(...(await concerned(tx, id)));
        await refreshPools(context, write, await ownerOf(tx, id));
      }),
    delete: (id, extras) =>
      context.write(async (write) => {
        const { tx, add, changed } = write;
        add(extras);
        changed(...(await concerned(tx, id)));
        const owner = await ownerOf(tx, id);
        await tx.deleteFrom('exports').where('id', '=', id).execute();
        await refreshPools(context, write, owner);
      }),
    ...createImports(context),
  };
}

function createImports(
  context: StoreContext,
): Pick<
  Exports,
  'imports' | 'deleteImport' | 'isImported' | 'importedFleetIds' | 'importedGatewayIds'
> {
  const { db } = context;
  return {
    async imports(projectId) {
      const rows = await db
        .selectFrom('imports')
        .selectAll()
        .where('project_id', '=', projectId)
        .orderBy('created_at', 'desc')
        .orderBy('id')
        .execute();
      const views = await exportViews(
        db,
        rows.map((row) => row.export_id),
      );
      const sources = new Map(views.map((view) => [view.export.id, view]));
      return rows.flatMap((row) => {
        const source = sources.get(row.export_id);
        return source ? [{ id: row.id, projectId, createdAt: row.created_at, source }] : [];
      });
    },
    deleteImport: (id, extras) =>
      context.write(async (write) => {
        const { tx, add, changed } = write;
        add(extras);
        const row = await tx
          .deleteFrom('imports')
          .where('id', '=', id)
          .returning(['export_id', 'project_id'])
          .executeTakeFirst();
        if (row === undefined) return;
        changed(projectChange(row.project_id, 'imports'));
        changed(...(await concerned(tx, row.export_id)));
        await refreshPools(context, write, await ownerOf(tx, row.export_id));
      }),
    async isImported(kind, id, projectIds) {
      const row =
        kind === 'fleet'
          ? await importedFleets(db, projectIds).where('ef.fleet_id', '=', id).executeTakeFirst()
          : await importedGateways(db, projectIds)
              .where('eg.gateway_id', '=', id)
              .executeTakeFirst();
      return row !== undefined;
    },
    async importedFleetIds(projectIds) {
      const rows = await importedFleets(db, projectIds).distinct().execute();
      return rows.map((row) => row.fleet_id);
    },
    async importedGatewayIds(projectIds) {
      const rows = await importedGateways(db, projectIds).distinct().execute();
      return rows.map((row) => row.gateway_id);
    },
  };
}

/** The exporting project, and all that import. */
/** The project that shares its fleets by this export; null = there is no such export. */
async function ownerOf(tx: Tx, exportId: Id): Promise<Id | null> {
  const row = await tx
    .selectFrom('exports')
    .select('project_id')
    .where('id', '=', exportId)
    .executeTakeFirst();
  return row?.project_id ?? null;
}

async function concerned(tx: Tx, exportId: Id): Promise<RecordChange[]> {
  const own = await tx
    .selectFrom('exports')
    .select('project_id')
    .where('id', '=', exportId)
    .execute();
  const importers = await tx
    .selectFrom('imports')
    .select('project_id')
    .where('export_id', '=', exportId)
    .execute();
  return [
    ...own.map((row) => projectChange(row.project_id, 'exports')),
    ...importers.map((row) => projectChange(row.project_id, 'imports')),
  ];
}

async function change(
  context: StoreContext,
  tx: Tx,
  exportId: Id,
  set: ExportChange,
): Promise<void> {
  if (set.isGlobal !== undefined) {
    await tx
      .updateTable('exports')
      .set({ is_global: set.isGlobal })
      .where('id', '=', exportId)
      .execute();
    if (set.isGlobal) await importEverywhere(context, tx, exportId);
  }
  await addImporters(context, tx, exportId, set.addImporters ?? []);
  await changeParts(tx, exportId, set);
  if (set.removeImporters?.length) {
    await tx
      .deleteFrom('imports')
      .where('export_id', '=', exportId)
      .where('project_id', 'in', [...set.removeImporters])
      .execute();
  }
}

async function importEverywhere(context: StoreContext, tx: Tx, exportId: Id): Promise<void> {
  const projects = await tx
    .selectFrom('projects')
    .select('id')
    .where(notDeleted('deleted'))
    .where('id', '!=', (eb) =>
      eb.selectFrom('exports').select('project_id').where('id', '=', exportId),
    )
    .execute();
  await addImporters(
    context,
    tx,
    exportId,
    projects.map((project) => project.id),
  );
}

async function addImporters(
  context: StoreContext,
  tx: Tx,
  exportId: Id,
  projectIds: readonly Id[],
): Promise<void> {
  if (projectIds.length === 0) return;
  await tx
    .insertInto('imports')
    .values(
      projectIds.map((projectId) => ({
        id: context.newId(),
        project_id: projectId,
        export_id: exportId,
        created_at: context.now(),
      })),
    )
    .onConflict((conflict) => conflict.columns(['project_id', 'export_id']).doNothing())
    .execute();
}

async function changeParts(tx: Tx, exportId: Id, set: ExportChange): Promise<void> {
  if (set.addFleets?.length) {
    await tx
      .insertInto('exported_fleets')
      .values(set.addFleets.map((id) => ({ export_id: exportId, fleet_id: id })))
      .onConflict((conflict) => conflict.columns(['export_id', 'fleet_id']).doNothing())
      .execute();
  }
  if (set.removeFleets?.length) {
    await tx
      .deleteFrom('exported_fleets')
      .where('export_id', '=', exportId)
      .where('fleet_id', 'in', [...set.removeFleets])
      .execute();
  }
  if (set.addGateways?.length) {
    await tx
      .insertInto('exported_gateways')
      .values(set.addGateways.map((id) => ({ export_id: exportId, gateway_id: id })))
      .onConflict((conflict) => conflict.columns(['export_id', 'gateway_id']).doNothing())
      .execute();
  }
  if (set.removeGateways?.length) {
    await tx
      .deleteFrom('exported_gateways')
      .where('export_id', '=', exportId)
      .where('gateway_id', 'in', [...set.removeGateways])
      .execute();
  }
}
