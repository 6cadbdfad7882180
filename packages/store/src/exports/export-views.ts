import type { Id } from '@dstack/core';
import { forIds, groupBy, notDeleted } from '../base/query.ts';
import type { Db } from '../context/context.ts';
import { exportTable } from '../schema/resource-tables.ts';
import type { ExportView } from './types.ts';

/** In the order of the ids given; missing ones are left out. */
export async function exportViews(db: Db, ids: readonly Id[]): Promise<ExportView[]> {
  const rows = await forIds(ids, (slice) =>
    db
      .selectFrom('exports as e')
      .innerJoin('projects as p', 'p.id', 'e.project_id')
      .selectAll('e')
      .select('p.name as project_name')
      .where('e.id', 'in', slice)
      .execute(),
  );
  const importers = await importersOf(db, ids);
  const fleets = await fleetsOf(db, ids);
  const gateways = await gatewaysOf(db, ids);
  const views = new Map(
    rows.map((row): [Id, ExportView] => [
      row.id,
      {
        export: exportTable.decode(row),
        projectName: row.project_name,
        importers: named(importers.get(row.id)),
        fleets: named(fleets.get(row.id)),
        gateways: named(gateways.get(row.id)),
      },
    ]),
  );
  return ids.flatMap((id) => views.get(id) ?? []);
}

interface Part {
  readonly owner: Id;
  readonly id: Id;
  readonly name: string;
}

function named(parts: readonly Part[] | undefined) {
  return (parts ?? []).map(({ id, name }) => ({ id, name }));
}

async function importersOf(db: Db, ids: readonly Id[]): Promise<Map<Id, Part[]>> {
  const rows = await forIds(ids, (slice) =>
    db
      .selectFrom('imports as i')
      .innerJoin('projects as p', 'p.id', 'i.project_id')
      .select(['i.export_id as owner', 'p.id', 'p.name'])
      .where('i.export_id', 'in', slice)
      .orderBy('p.name')
      .execute(),
  );
  return groupBy(rows, (row) => row.owner);
}

async function fleetsOf(db: Db, ids: readonly Id[]): Promise<Map<Id, Part[]>> {
  const rows = await forIds(ids, (slice) =>
    db
      .selectFrom('exported_fleets as ef')
      .innerJoin('fleets as f', 'f.id', 'ef.fleet_id')
      .select(['ef.export_id as owner', 'f.id', 'f.name'])
      .where('ef.export_id', 'in', slice)
      .where(notDeleted('f.deleted'))
      .orderBy('f.name')
      .execute(),
  );
  return groupBy(rows, (row) => row.owner);
}

async function gatewaysOf(db: Db, ids: readonly Id[]): Promise<Map<Id, Part[]>> {
  const rows = await forIds(ids, (slice) =>
    db
      .selectFrom('exported_gateways as eg')
      .innerJoin('gateways as g', 'g.id', 'eg.gateway_id')
      .select(['eg.export_id as owner', 'g.id', 'g.name'])
      .where('eg.export_id', 'in', slice)
      .where(notDeleted('g.deleted'))
      .orderBy('g.name')
      .execute(),
  );
  return groupBy(rows, (row) => row.owner);
}
