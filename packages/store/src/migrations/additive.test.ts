import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openMemorySqlite } from '../connection/sqlite.ts';
import { createIndex, createTable, type Migration, type MigrationContext } from './ddl.ts';
import { MIGRATIONS } from './index.ts';

let connection: ReturnType<typeof openMemorySqlite>;
let context: MigrationContext;
beforeEach(() => {
  connection = openMemorySqlite();
  context = { db: connection.db, postgres: false };
});
afterEach(() => connection.close());

it('has only migrations marked as additive that older servers survive', async () => {
  for (const migration of MIGRATIONS) {
    const breaking = await breakingChanges(context, migration);
    if (migration.isAdditive) expect(breaking, migration.name).toEqual([]);
  }
});

describe('what older servers do not survive', () => {
  beforeEach(async () => {
    await createTable(context, 'things', { id: 'text!', size: 'int', owner: 'text' });
  });
  const change = (up: Migration['up']) => breakingChanges(context, { name: 'change', up });
  const run = (statement: string) =>
    change(async ({ db }) => void (await sql.raw(statement).execute(db)));

  it('allows new tables, indexes, and columns that may be left out', async () => {
    const breaking = await change(async (c) => {
      await createTable(c, 'parts', { id: 'text!', thing: 'text! => things' });
      await createIndex(c, 'parts', 'thing', { unique: true });
      await createIndex(c, 'things', 'owner');
      await sql.raw('alter table things add column color text').execute(c.db);
      await sql.raw('alter table things add column weight int not null default 1').execute(c.db);
    });
    expect(breaking).toEqual([]);
  });

  it.each([
    ['drop table things', 'things.size is removed'],
    ['alter table things drop column size', 'things.size is removed'],
    ['alter table things rename column size to width', 'things.size is removed'],
    ['create unique index taken on things (owner)', 'things.taken is unique'],
    ['create trigger kept before delete on things begin select 1; end', 'things.kept is a trigger'],
  ])('names the fault of %s', async (statement, fault) => {
    expect(await run(statement)).toContain(fault);
  });

  it('names columns that change, or that older servers would have to fill', async () => {
    const breaking = await change(async ({ db }) => {
      await sql.raw('drop table things').execute(db);
      const columns = 'id text not null primary key, size text, owner text, kind text not null';
      await sql.raw(`create table things (${columns})`).execute(db);
    });
    expect(breaking).toEqual([
      'things.size changes from INTEGER 0 0 to TEXT 0 0',
      'things.kind may not be null and has no default',
    ]);
  });
});

interface Schema {
  /** Definitions of columns by `table.column`. */
  readonly columns: ReadonlyMap<string, Column>;
  readonly uniqueIndexes: ReadonlySet<string>;
  readonly triggers: ReadonlySet<string>;
}

interface Column {
  readonly definition: string;
  readonly isFilled: boolean;
}

/** Applies a migration to SQLite, and returns what in it could break servers of the version before. */
async function breakingChanges(
  context: MigrationContext,
  migration: Migration,
): Promise<readonly string[]> {
  const before = await schemaOf(context);
  await migration.up(context);
  const after = await schemaOf(context);
  const isOld = (table: string) => [...before.columns.keys()].some((key) => tableOf(key) === table);
  return [
    ...[...before.columns].flatMap(([key, { definition }]) => {
      const now = after.columns.get(key)?.definition;
      if (now === undefined) return [`${key} is removed`];
      return now === definition ? [] : [`${key} changes from ${definition} to ${now}`];
    }),
    ...[...after.columns].flatMap(([key, { isFilled }]) =>
      before.columns.has(key) || !isOld(tableOf(key)) || isFilled
        ? []
        : [`${key} may not be null and has no default`],
    ),
    ...added(before.uniqueIndexes, after.uniqueIndexes, isOld).map((key) => `${key} is unique`),
    ...added(before.triggers, after.triggers, isOld).map((key) => `${key} is a trigger`),
  ];
}

const tableOf = (key: string) => key.slice(0, key.indexOf('.'));

function added(
  before: ReadonlySet<string>,
  after: ReadonlySet<string>,
  isOld: (table: string) => boolean,
): readonly string[] {
  return [...after].filter((key) => !before.has(key) && isOld(tableOf(key)));
}

async function schemaOf({ db }: MigrationContext): Promise<Schema> {
  const columns = await sql<{ table: string; name: string; type: string; filled: number }>`
    select t.name as "table", c.name as name,
      c.type || ' ' || c."notnull" || ' ' || c.pk || ' ' || coalesce(c.dflt_value, '')
        || ' ' || coalesce((select group_concat(f."table" || ' ' || f.on_delete)
          from pragma_foreign_key_list(t.name) f where f."from" = c.name), '') as type,
      c."notnull" = 0 or c.dflt_value is not null as filled
    from sqlite_master t, pragma_table_info(t.name) c where t.type = 'table'`.execute(db);
  const indexes = await sql<{ key: string }>`
    select t.name || '.' || i.name as key
    from sqlite_master t, pragma_index_list(t.name) i
    where t.type = 'table' and i."unique" = 1`.execute(db);
  const triggers = await sql<{ key: string }>`
    select tbl_name || '.' || name as key from sqlite_master where type = 'trigger'`.execute(db);
  return {
    columns: new Map(
      columns.rows.map(({ table, name, type, filled }) => [
        `${table}.${name}`,
        { definition: type.trim(), isFilled: filled === 1 },
      ]),
    ),
    uniqueIndexes: new Set(indexes.rows.map(({ key }) => key)),
    triggers: new Set(triggers.rows.map(({ key }) => key)),
  };
}
