import { randomUUID } from 'node:crypto';
import { poolsOf } from '@dstack/core';
import { sql } from 'kysely';
import { createIndex, createTable, type Migration, type MigrationContext } from './ddl.ts';

/**
 * Pools: the projects and fleets that are connected by the right to use. Placement is leased by pool.
 * Servers of an older version lease it by project and keep no pools, so they must end first.
 */
export const pools: Migration = {
  name: 'pools',
  async up(c) {
    await createTable(c, 'pools', {
      id: 'text!',
      version: 'big!',
      lease_owner: 'text',
      lease_expires_at: 'big',
    });
    await sql.raw('alter table projects add column pool_id text').execute(c.db);
    await sql.raw('alter table fleets add column pool_id text').execute(c.db);
    await createIndex(c, 'projects', 'pool_id');
    await fill(c);
  },
};

async function fill({ db }: MigrationContext): Promise<void> {
  const ids = async (table: string): Promise<string[]> => {
    const rows = await db.selectFrom(table).select('id').where(sql<boolean>`not deleted`).execute();
    return rows.map((row) => String(row.id));
  };
  const { rows } = await sql<{ projectId: string; fleetId: string }>`
    select project_id as "projectId", id as "fleetId" from fleets where not deleted
    union select i.project_id, ef.fleet_id
      from imports i join exported_fleets ef on ef.export_id = i.export_id`.execute(db);
  const found = poolsOf({
    ...{ projects: await ids('projects'), fleets: await ids('fleets') },
    ...{ uses: rows, onServerHosts: [] },
  });
  for (const { projects, fleets } of found) {
    const pool_id = randomUUID();
    await db.insertInto('pools').values({ id: pool_id, version: 1 }).execute();
    for (const [table, members] of [
      ['projects', projects],
      ['fleets', fleets],
    ] as const) {
      for (const id of members) {
        await db.updateTable(table).set({ pool_id }).where('id', '=', id).execute();
      }
    }
  }
}
