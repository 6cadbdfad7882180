import type { BackendName, OrphanRecord, SweepRecord } from '@dstack/core';
import { notDeleted } from '../base/query.ts';
import type { StoreContext, Tx } from '../context/context.ts';
import { orphanTable, sweepTable } from '../schema/sweep-tables.ts';
import type { KnownIds, Sweeps } from './types.ts';

export function createSweeps(context: StoreContext): Sweeps {
  const { db } = context;
  return {
    async list() {
      const rows = await db.selectFrom('sweeps').selectAll().orderBy('next_at').execute();
      return rows.map(sweepTable.decode);
    },
    async orphans() {
      const rows = await db
        .selectFrom('orphans')
        .selectAll()
        .orderBy('first_seen_at')
        .orderBy('id')
        .execute();
      return rows.map(orphanTable.decode);
    },
    knownIds: (backend) => context.read((tx) => knownIds(tx, backend)),
    save: ({ sweep, orphans = [], settled = [] }, extras) =>
      context.write(async ({ tx, add }) => {
        add(extras);
        await saveSweep(tx, sweep);
        for (const orphan of orphans) await saveOrphan(tx, orphan);
        for (const id of settled) await tx.deleteFrom('orphans').where('id', '=', id).execute();
      }),
    forget: ({ projectId, backend }) =>
      context.write(async ({ tx }) => {
        for (const table of ['orphans', 'sweeps'] as const) {
          await tx
            .deleteFrom(table)
            .where('project_id', '=', projectId)
            .where('backend', '=', backend)
            .execute();
        }
      }),
  };
}

async function saveSweep(tx: Tx, sweep: SweepRecord): Promise<void> {
  const { projectId: _, backend: __, ...set } = sweep;
  await tx
    .insertInto('sweeps')
    .values(sweepTable.insert(sweep))
    .onConflict((conflict) =>
      conflict.columns(['project_id', 'backend']).doUpdateSet(sweepTable.update(set)),
    )
    .execute();
}

async function saveOrphan(tx: Tx, orphan: OrphanRecord): Promise<void> {
  const { id: _, ...set } = orphan;
  await tx
    .insertInto('orphans')
    .values(orphanTable.insert(orphan))
    .onConflict((conflict) => conflict.column('id').doUpdateSet(orphanTable.update(set)))
    .execute();
}

async function knownIds(tx: Tx, backend: BackendName): Promise<KnownIds> {
  const instances = await tx
    .selectFrom('instances')
    .select('handle as data')
    .where('backend', '=', backend)
    .where('status', '!=', 'terminated')
    .where('handle', 'is not', null)
    .execute();
  const volumes = await tx
    .selectFrom('volumes')
    .select('handle as data')
    .where('backend', '=', backend)
    .where(notDeleted('deleted'))
    .where('handle', 'is not', null)
    .execute();
  const groups = await tx
    .selectFrom('provider_groups')
    .select('handle as data')
    .where('backend', '=', backend)
    .where(notDeleted('deleted'))
    .where('handle', 'is not', null)
    .execute();
  const gateways =
    backend === 'local'
      ? []
      : await tx
          .selectFrom('gateway_replicas')
          .select('instance_id')
          .where('backend', '=', backend)
          .where(notDeleted('deleted'))
          .where('instance_id', 'is not', null)
          .execute();
  return {
    instance: idsIn(instances),
    volume: idsIn(volumes),
    group: idsIn(groups),
    gateway: new Set(gateways.map(({ instance_id }) => String(instance_id))),
  };
}

function idsIn(rows: readonly { readonly data: unknown }[]): Set<string> {
  return new Set(rows.map(({ data }) => String(JSON.parse(String(data)).id)));
}
