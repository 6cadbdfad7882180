import { sql } from 'kysely';
import { expect, it } from 'vitest';
import { openMemorySqlite } from '../connection/sqlite.ts';
import { MIGRATIONS } from './index.ts';

it('domains of gateways that exist are written down, those of later and deleted ones are not', async () => {
  const { db, close } = openMemorySqlite();
  const context = { db, postgres: false };
  const at = MIGRATIONS.findIndex(({ name }) => name.startsWith('domains of gateways'));
  for (const migration of MIGRATIONS.slice(0, at)) await migration.up(context);
  const insert = (id: string, domain: string | null, deleted = 0) =>
    sql`insert into gateways (id, project_id, name, backend, region, configuration, status, wildcard_domain,
      scale_out_attempt, created_at, last_processed_at, to_be_deleted, deleted, version)
      values (${id}, 'p', ${id}, 'b', 'r', '{}', 'running', ${domain}, 0, 0, 0, 0, ${deleted}, 0)`.execute(
      db,
    );
  await sql`pragma foreign_keys = off`.execute(db);
  await insert('old', '*.apps.test');
  await insert('deleted', '*.gone.test', 1);
  await insert('bare', null);
  await MIGRATIONS[at]?.up(context);
  await insert('new', '*.new.test');
  const rows = await db.selectFrom('gateway_unproven_domains').selectAll().execute();
  expect(rows).toEqual([{ gateway_id: 'old', domain: '*.apps.test' }]);
  await close();
});
