/** Rows of many runs, written by a few statements for each simulated day. */
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import pg from 'pg';
import type { StoryTable } from './repeatable.ts';

/** A connection beside the store's, for both kinds of databases. It checks no references between tables. */
export interface YearDatabase {
  readonly postgres: boolean;
  run(sql: string): Promise<void>;
  /** Returns how many rows a statement has written. */
  change(sql: string): Promise<number>;
  rows(sql: string): Promise<readonly Record<string, unknown>[]>;
  tables(): Promise<readonly string[]>;
  /** Writes the fixed rows of a table, and those to repeat to one of the same name in the schema `story`. */
  keepStory(table: StoryTable): Promise<void>;
  quoted(column: string): string;
  /** The column `column` of `t` with `part` for `mark`. */
  replaced(table: string, column: string, mark: string, part: string): string;
  close(): Promise<void>;
}

const quoted = (column: string) => `"${column}"`;

export function sqliteDatabase(path: string): YearDatabase {
  const database = new DatabaseSync(path, { timeout: 5000, enableForeignKeyConstraints: false });
  database.exec("pragma synchronous = off; pragma temp_store = memory; attach ':memory:' as story");
  const rows = async (sql: string) => database.prepare(sql).all() as Record<string, unknown>[];
  const insert = (into: string, all: StoryTable['fixed']) => {
    for (const row of all) {
      const columns = Object.keys(row).map(quoted).join(', ');
      const marks = Object.keys(row).map(() => '?');
      database
        .prepare(`insert into ${into} (${columns}) values (${marks.join(', ')})`)
        .run(...(Object.values(row) as SQLInputValue[]));
    }
  };
  return {
    ...{ postgres: false, quoted, rows },
    run: async (sql) => database.exec(sql),
    change: async (sql) => Number(database.prepare(sql).run().changes),
    tables: async () =>
      names(
        await rows(
          "select name from main.sqlite_master where type = 'table' and name not like 'sqlite_%'",
        ),
      ),
    async keepStory({ name, fixed, repeated }) {
      database.exec(`begin; delete from main.${name}`);
      insert(`main.${name}`, fixed);
      database.exec(`create table story.${name} as select * from main.${name} where false`);
      insert(`story.${name}`, repeated);
      database.exec('commit');
    },
    replaced: (_table, column, mark, part) => `replace(t.${quoted(column)}, '${mark}', ${part})`,
    close: async () => database.close(),
  };
}

export async function postgresDatabase(url: string): Promise<YearDatabase> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query("set session_replication_role = 'replica'; set synchronous_commit = off");
  await client.query('create schema if not exists story');
  const rows = async (sql: string) => (await client.query(sql)).rows;
  const typeRows = await rows(
    "select table_name, column_name, data_type from information_schema.columns where table_schema = 'public'",
  );
  const types = new Map(
    typeRows.map((row) => [`${row.table_name}.${row.column_name}`, String(row.data_type)]),
  );
  const insert = async (into: string, name: string, all: StoryTable['fixed']) => {
    const values = all.map((row) =>
      Object.fromEntries(
        Object.entries(row).map(([column, value]) => [
          column,
          jsonValue(types.get(`${name}.${column}`), value),
        ]),
      ),
    );
    await client.query(
      `insert into ${into} select * from json_populate_recordset(null::public.${name}, $1::json)`,
      [JSON.stringify(values)],
    );
  };
  return {
    ...{ postgres: true, quoted, rows },
    run: async (sql) => void (await client.query(sql)),
    change: async (sql) => (await client.query(sql)).rowCount ?? 0,
    tables: async () =>
      names(await rows("select tablename as name from pg_tables where schemaname = 'public'")),
    async keepStory({ name, fixed, repeated }) {
      await client.query(`delete from public.${name}`);
      await insert(`public.${name}`, name, fixed);
      await client.query(`create table story.${name} (like public.${name})`);
      await insert(`story.${name}`, name, repeated);
    },
    replaced(table, column, mark, part) {
      const isJson = types.get(`${table}.${column}`) === 'json';
      const text = `replace(t.${quoted(column)}${isJson ? '::text' : ''}, '${mark}', ${part})`;
      return isJson ? `(${text})::json` : text;
    },
    close: () => client.end(),
  };
}

/** A value of SQLite as JSON for a column of PostgreSQL. */
function jsonValue(type: string | undefined, value: unknown): unknown {
  if (value === null) return null;
  if (type === 'boolean') return value === 1;
  if (type === 'json') return JSON.parse(String(value));
  return value instanceof Uint8Array ? `\\x${Buffer.from(value).toString('hex')}` : value;
}

const names = (rows: readonly Record<string, unknown>[]) => rows.map(({ name }) => String(name));
