/** Gives the database of a server the state that an outage of hours leaves, without the hours. */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Installation } from '@dstack/testkit';

type Row = Readonly<Record<string, unknown>>;

/** Runs one statement. */
export type Query = (sql: string) => Promise<readonly Row[]>;

/** Times are µs since 1970; every other number is far below. */
const EARLIEST = 1_600_000_000_000_000;
const HOUR = 3_600_000_000;

/** The database of a server on SQLite that does not run. */
export async function withSqlite<T>(
  { serverDir }: Installation,
  work: (query: Query) => Promise<T>,
): Promise<T> {
  const db = new DatabaseSync(join(serverDir, 'data', 'dstack.db'));
  try {
    return await work(async (sql) => db.prepare(sql).all() as Row[]);
  } finally {
    db.close();
  }
}

const SQLITE_COLUMNS = `select m.name as "table", c.name as "column" from sqlite_master m, pragma_table_info(m.name) c
  where m.type = 'table' and c.type in ('integer', 'bigint', 'INTEGER', 'BIGINT') and c.pk = 0`;
const POSTGRES_COLUMNS = `select table_name as "table", column_name as "column" from information_schema.columns
  where table_schema = 'public' and data_type = 'bigint'`;

/** Every time in the database becomes `hours` older: as if no server had worked for so long. */
export async function age(query: Query, hours: number, kind: 'sqlite' | 'postgres'): Promise<void> {
  const columns = await query(kind === 'sqlite' ? SQLITE_COLUMNS : POSTGRES_COLUMNS);
  const passed = hours * HOUR;
  for (const { table, column } of columns) {
    await query(
      `update "${table}" set "${column}" = "${column}" - ${passed} where "${column}" > ${EARLIEST}`,
    );
  }
  const [served] = await query(`select value from server_meta where key = 'served'`);
  const { at, since, ...rest } = JSON.parse(String(served?.value));
  const aged = JSON.stringify({ ...rest, at: at - passed, since: since - passed });
  await query(`update server_meta set value = '${aged}' where key = 'served'`);
}
