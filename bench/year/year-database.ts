/** Rows of many runs, written by a few statements for each simulated day. */
import { DatabaseSync } from 'node:sqlite';
import pg from 'pg';

/** A connection beside the store's, for both kinds of databases. */
export interface YearDatabase {
  readonly postgres: boolean;
  run(sql: string): Promise<void>;
  rows(sql: string): Promise<readonly Record<string, unknown>[]>;
  columns(table: string): Promise<readonly string[]>;
  tables(): Promise<readonly string[]>;
  close(): Promise<void>;
}

export function sqliteDatabase(path: string): YearDatabase {
  const database = new DatabaseSync(path, { timeout: 5000 });
  database.exec('pragma synchronous = off; pragma temp_store = memory');
  const rows = async (sql: string) => database.prepare(sql).all() as Record<string, unknown>[];
  return {
    postgres: false,
    run: async (sql) => database.exec(sql),
    rows,
    columns: async (table) => names(await rows(`select name from pragma_table_info('${table}')`)),
    tables: async () =>
      names(
        await rows(
          "select name from sqlite_master where type = 'table' and name not like 'sqlite_%'",
        ),
      ),
    close: async () => database.close(),
  };
}

export async function postgresDatabase(url: string): Promise<YearDatabase> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const rows = async (sql: string) => (await client.query(sql)).rows;
  return {
    postgres: true,
    run: async (sql) => void (await client.query(sql)),
    rows,
    columns: async (table) =>
      names(
        await rows(
          `select column_name as name from information_schema.columns where table_name = '${table}'`,
        ),
      ),
    tables: async () =>
      names(await rows("select tablename as name from pg_tables where schemaname = 'public'")),
    close: () => client.end(),
  };
}

const names = (rows: readonly Record<string, unknown>[]) => rows.map(({ name }) => String(name));

/** SQL of what differs between the databases. */
export function dialect({ postgres }: YearDatabase) {
  const hex = (bytes: number) => `lower(hex(randomblob(${bytes})))`;
  return {
    uuid: postgres ? 'gen_random_uuid()::text' : [4, 2, 2, 2, 6].map(hex).join(" || '-' || "),
    yes: postgres ? 'true' : '1',
    json: (text: (column: string) => string, column: string) =>
      postgres ? `(${text(`${column}::text`)})::json` : text(column),
  };
}
