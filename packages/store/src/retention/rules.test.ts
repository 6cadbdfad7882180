import { sql } from 'kysely';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openMemorySqlite } from '../connection/sqlite.ts';
import { migrate } from '../migrations/migrate.ts';
import { RETENTION_RULES, type RetentionRule } from './rules.ts';

const connection = openMemorySqlite();
const { db } = connection;
beforeAll(async () => {
  await migrate({ db, postgres: false, now: () => 0, label: 'in memory' });
});
afterAll(() => connection.close());

const rules: Readonly<Record<string, RetentionRule>> = RETENTION_RULES;

it('has a rule for every table of the schema, and no other', async () => {
  const { rows } = await sql<{ name: string }>`select name from sqlite_master
    where type = 'table' and name not like 'sqlite_%'`.execute(db);
  expect(Object.keys(rules).sort()).toEqual(rows.map(({ name }) => name).sort());
});

/** Their rows have no reference to the owner; the code that deletes the owner deletes them. */
const DELETED_BY_CODE = new Set(['jobs', 'hosts', 'host_access']);

it('deletes rows that are kept with an owner by a reference to it', async () => {
  for (const [name, rule] of Object.entries(rules)) {
    if (rule.keep !== 'with' || DELETED_BY_CODE.has(name)) continue;
    const { rows } = await sql<{ table: string; on_delete: string }>`
      select "table", on_delete from pragma_foreign_key_list(${name})`.execute(db);
    expect(rows, name).toContainEqual({ table: rule.owner, on_delete: 'CASCADE' });
  }
});

it('finds the rows that refer to a deleted one by an index', async () => {
  const { rows } = await sql<{ child: string; column: string }>`
    select t.name as child, f."from" as column from sqlite_master t, pragma_foreign_key_list(t.name) f
    where t.type = 'table' and f."table" in ('runs', 'jobs', 'instances', 'fleets', 'volumes', 'gateways',
      'gateway_replicas', 'hosts', 'events')`.execute(db);
  for (const { child, column } of rows) {
    const plan = await sql<{ detail: string }>`explain query plan select 1 from ${sql.table(child)}
      where ${sql.ref(column)} = 'x'`.execute(db);
    expect(plan.rows[0]?.detail, `${child}.${column}`).toMatch(/SEARCH/);
  }
});
