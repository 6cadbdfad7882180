import type { HostHealthRecord, HostRecord } from '@dstack/core';
import { forIds } from '../base/query.ts';
import { together } from '../base/together.ts';
import type { Db, StoreContext, Tx } from '../context/context.ts';
import { healthCheckTable, hostHealthTable, hostTable } from '../schema/work-tables.ts';
import type { StoredHosts } from './types.ts';

export function createHosts(context: StoreContext): StoredHosts {
  const { db } = context;
  return {
    byId: together(async (ids) => new Map((await hostsOf(db, ids)).map((one) => [one.id, one]))),
    byIds: (ids) => hostsOf(db, ids),
    async list() {
      const rows = await db.selectFrom('hosts').selectAll().orderBy('id').execute();
      return rows.map(hostTable.decode);
    },
    save: (host, extras) =>
      context.write(async ({ tx, add }) => {
        add(extras);
        const { id: _, ...set } = host;
        await tx
          .insertInto('hosts')
          .values(hostTable.insert(host))
          .onConflict((conflict) => conflict.column('id').doUpdateSet(hostTable.update(set)))
          .execute();
      }),
    async delete(id) {
      await db.deleteFrom('hosts').where('id', '=', id).execute();
    },
    health: (id) => hostHealth(db, id),
    saveHealth: (health, history, extras) =>
      context.write(async ({ tx, add }) => {
        add(extras);
        const { hostId: _, ...set } = health;
        await tx
          .insertInto('host_health')
          .values(hostHealthTable.insert(health))
          .onConflict((conflict) =>
            conflict.column('host_id').doUpdateSet(hostHealthTable.update(set)),
          )
          .execute();
        if (history.length === 0) return;
        await tx
          .insertInto('instance_health_checks')
          .values(history.map(healthCheckTable.insert))
          .execute();
      }),
  };
}

export async function hostsOf(db: Db | Tx, ids: readonly string[]): Promise<HostRecord[]> {
  const rows = await forIds(ids, (slice) =>
    db.selectFrom('hosts').selectAll().where('id', 'in', slice).execute(),
  );
  return rows.map(hostTable.decode);
}

export async function hostHealth(db: Db | Tx, id: string): Promise<HostHealthRecord | null> {
  const row = await db
    .selectFrom('host_health')
    .selectAll()
    .where('host_id', '=', id)
    .executeTakeFirst();
  return row ? hostHealthTable.decode(row) : null;
}
