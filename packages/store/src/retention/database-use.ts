import { type RawBuilder, sql } from 'kysely';
import type { Db, StoreContext } from '../context/context.ts';
import type { DatabaseUse, Retention, TableUse } from './types.ts';

/** Smaller tables are counted, larger ones are sampled. */
const COUNTED_ROWS = 5000;

/** Places at which a large table is sampled, and rows read there. */
const PLACES = 32;
const ROWS_PER_PLACE = 16;

export function createDatabaseUse(context: StoreContext): Pick<Retention, 'use' | 'releasePages'> {
  const { db, postgres } = context;
  return {
    use: () => (postgres ? postgresUse(db) : sqliteUse(db)),
    async releasePages(limit) {
      if (postgres) return 0;
      const free = await pragma(db, 'freelist_count');
      // The pages that stay are used again by the next writes.
      if (!(await shrinks(db)) || free <= KEPT_PAGES) return 0;
      await sql.raw(`pragma incremental_vacuum(${Math.min(limit, free - KEPT_PAGES)})`).execute(db);
      return free - (await pragma(db, 'freelist_count'));
    },
  };
}

/** 4 MiB of pages of 4 KiB. */
const KEPT_PAGES = 1024;

/** Sizes and estimated numbers of rows are kept by the database itself. */
async function postgresUse(db: Db): Promise<DatabaseUse> {
  const { rows } = await sql<{ name: string; count: number; bytes: number }>`
    select c.relname as name, greatest(c.reltuples, 0)::float8 as count,
      pg_total_relation_size(c.oid)::float8 as bytes
    from pg_class c where c.relkind = 'r' and c.relnamespace = current_schema()::regnamespace
    order by 1`.execute(db);
  const tables = rows.map(({ name, count, bytes }) => ({
    ...{ table: name, rows: Math.round(count), bytes, isExact: false },
  }));
  const bytes = tables.reduce((sum, table) => sum + table.bytes, 0);
  const of = (name: string) => tables.find(({ table }) => table === name)?.bytes ?? 0;
  return {
    ...{ tables, bytes, freeBytes: null, shrinks: true },
    ...{ logBytes: of('log_pieces'), uploadBytes: of('blobs') },
  };
}

/**
 * SQLite keeps neither sizes nor numbers of rows: large tables are estimated from samples, and the
 * sum of all is scaled to the pages of the file that are in use.
 */
async function sqliteUse(db: Db): Promise<DatabaseUse> {
  const { rows: names } = await sql<{ name: string }>`select name from sqlite_master
    where type = 'table' and name not like 'sqlite_%' order by name`.execute(db);
  const raw: TableUse[] = [];
  for (const { name } of names) raw.push(await estimate(db, name));
  const page = await pragma(db, 'page_size');
  const [all, free] = [await pragma(db, 'page_count'), await pragma(db, 'freelist_count')];
  const sum = raw.reduce((total, table) => total + table.bytes, 0);
  const scale = sum === 0 ? 0 : ((all - free) * page) / sum;
  return {
    tables: raw.map((table) => ({ ...table, bytes: Math.round(table.bytes * scale) })),
    bytes: all * page,
    freeBytes: free * page,
    shrinks: await shrinks(db),
    logBytes: Math.round((await estimate(db, 'job_logs', sql`stored`)).bytes),
    uploadBytes: Math.round(
      (await estimate(db, 'codes', sql`size`)).bytes +
        (await estimate(db, 'file_archives', sql`size`)).bytes,
    ),
  };
}

/** Incremental; other files keep their unused pages for later rows. */
const shrinks = async (db: Db): Promise<boolean> => (await pragma(db, 'auto_vacuum')) === 2;

async function pragma(db: Db, name: string): Promise<number> {
  const { rows } = await sql<Record<string, number>>`${sql.raw(`pragma ${name}`)}`.execute(db);
  return Number(Object.values(rows[0] ?? {})[0] ?? 0);
}

/** `of`: bytes of a row; by default of its values. */
async function estimate(db: Db, name: string, of?: RawBuilder<unknown>): Promise<TableUse> {
  const table = sql.table(name);
  const { rows } = await sql<{ low: number | null; high: number | null }>`
    select (select min(rowid) from ${table}) as low, (select max(rowid) from ${table}) as high`.execute(
    db,
  );
  const { low, high } = rows[0] ?? {};
  if (typeof low !== 'number' || typeof high !== 'number') {
    return { table: name, rows: 0, bytes: 0, isExact: true };
  }
  const span = high - low + 1;
  const size = of ?? (await rowSize(db, name));
  if (span <= COUNTED_ROWS) {
    const counted = await sql<{ n: number; bytes: number | null }>`
      select count(*) as n, sum(${size}) as bytes from ${table}`.execute(db);
    const { n, bytes } = counted.rows[0] ?? { n: 0, bytes: 0 };
    return { table: name, rows: n, bytes: bytes ?? 0, isExact: true };
  }
  const width = span / PLACES;
  let [count, found, bytes] = [0, 0, 0];
  for (let place = 0; place < PLACES; place++) {
    const from = low + Math.floor(width * place);
    const end = low + Math.floor(width * (place + 1));
    const sample = await sql<{ id: number; bytes: number }>`select rowid as id, ${size} as bytes
      from ${table} where rowid >= ${from} and rowid < ${end}
      order by rowid limit ${sql.lit(ROWS_PER_PLACE)}`.execute(db);
    const last = sample.rows.at(-1)?.id ?? from;
    // A short list has every row of its place; a full one has those up to its last.
    const isWhole = sample.rows.length < ROWS_PER_PLACE;
    count += isWhole ? sample.rows.length : (sample.rows.length * (end - from)) / (last - from + 1);
    found += sample.rows.length;
    for (const row of sample.rows) bytes += row.bytes;
  }
  const rowBytes = found === 0 ? 0 : bytes / found;
  return { table: name, rows: Math.round(count), bytes: rowBytes * count, isExact: false };
}

/** Bytes of a row's values; indexes and the frame of rows are in the scale. */
async function rowSize(db: Db, name: string) {
  const { rows } = await sql<{ name: string }>`select name from pragma_table_info(${name})`.execute(
    db,
  );
  const parts = rows.map((row) => sql`coalesce(length(${sql.ref(row.name)}), 1)`);
  return sql.join([sql.lit(8), ...parts], sql` + `);
}
