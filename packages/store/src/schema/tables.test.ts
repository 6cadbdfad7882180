import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openSqlite, type SqliteConnection } from '../connection/sqlite.ts';
import { migrate } from '../migrations/migrate.ts';
import * as account from './account-tables.ts';
import { logPieceTable } from './log-piece-table.ts';
import * as resource from './resource-tables.ts';
import * as sweep from './sweep-tables.ts';
import { snake, type Table, table } from './table.ts';
import * as work from './work-tables.ts';

let directory: string;
let connection: SqliteConnection;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'tables-'));
  connection = openSqlite(join(directory, 'test.db'), () => 0);
  await migrate({ db: connection.db, postgres: false, now: () => 0, label: 'test.db' });
});
afterAll(async () => {
  await connection.close();
  rmSync(directory, { recursive: true });
});

const tables: Pick<Table<unknown, never>, 'name' | 'columns'>[] = [
  ...Object.values(account),
  ...Object.values(resource),
  ...Object.values(sweep),
  ...Object.values(work),
  logPieceTable,
];

it.each(tables)('the table $name has every column of its records', async ({ name, columns }) => {
  const { rows } = await sql<{ name: string }>`select name from pragma_table_info(${name})`.execute(
    connection.db,
  );
  const there = rows.map((row) => row.name);
  expect(columns.filter((column) => !there.includes(column))).toEqual([]);
});

it('writes field names as column names', () => {
  expect(['id', 'projectId', 'sha256', 'isTotalBytesFinal'].map(snake)).toEqual([
    ...['id', 'project_id', 'sha256', 'is_total_bytes_final'],
  ]);
});

it('turns records into rows and back, and leaves undefined fields alone', () => {
  interface Thing {
    readonly id: string;
    readonly count: number | null;
    readonly isOld: boolean;
    readonly parts: readonly string[] | null;
  }
  const things = table<Thing>()('things', {
    ...{ id: 'plain', count: 'plain', isOld: 'bool', parts: 'json' },
  });
  const thing: Thing = { id: 'a', count: 3, isOld: true, parts: ['x'] };
  const row = { id: 'a', count: 3, is_old: true, parts: '["x"]' };
  expect(things.insert(thing)).toEqual(row);
  expect(things.decode({ ...row, is_old: 1, another: 'column' })).toEqual(thing);
  expect(things.decode({ id: 'a', count: null, is_old: 0, parts: null })).toEqual({
    ...{ id: 'a', count: null, isOld: false, parts: null },
  });
  expect(things.update({ isOld: false, parts: null, count: undefined })).toEqual({
    ...{ is_old: false, parts: null },
  });
});
