import { setTimeout as delay } from 'node:timers/promises';
import { type Kysely, sql } from 'kysely';
import { StoreError } from '../base/errors.ts';
import type { Migration, MigrationContext } from './ddl.ts';
import { MIGRATIONS } from './index.ts';

/** Any constant works, as long as every server uses the same. */
export const ADVISORY_LOCK = 7_282_010_422;

/**
 * Held by the session of each running server on PostgreSQL, shared, and by a migration that running
 * servers would not survive.
 */
export const SCHEMA_LOCK = 7_282_010_423;

const ENDING_SERVERS_MS = 10_000;
const LOCK_POLL_MS = 250;

const LEDGER = 'dstack_migrations';

export interface MigrateOptions {
  // biome-ignore lint/suspicious/noExplicitAny: migrations know the schema of their own time only.
  readonly db: Kysely<any>;
  readonly postgres: boolean;
  readonly now: () => number;
  /** For error messages: the database without its password. */
  readonly label: string;
  readonly migrations?: readonly Migration[];
  /** How long servers that have just ended may still have sessions (default 10 seconds). */
  readonly endingServersMs?: number;
}

export interface Migrated {
  /** Names of the migrations that were applied now. */
  readonly applied: readonly string[];
  /** Whether the database was empty. */
  readonly created: boolean;
  /** Names of migrations of a newer version, which this one can work with. */
  readonly newer: readonly string[];
}

/**
 * Migrates the database to this version, all or nothing. Servers that start together on PostgreSQL
 * wait for one another. Running servers of an older version continue if all migrations that are
 * missing are additive; otherwise they must have ended. A database that is newer than this program
 * by more than additive migrations, or belongs to another program, is refused unchanged.
 */
export async function migrate(options: MigrateOptions): Promise<Migrated> {
  const migrations = options.migrations ?? MIGRATIONS;
  return options.db.transaction().execute(async (tx) => {
    const context: MigrationContext = { db: tx, postgres: options.postgres };
    if (options.postgres) {
      await sql`select pg_advisory_xact_lock(${sql.lit(ADVISORY_LOCK)})`.execute(tx);
    }
    const version = await currentVersion(context, options.label);
    if (version > migrations.length) {
      return {
        applied: [],
        created: false,
        newer: await newerMigrations(tx, options.label, migrations.length),
      };
    }
    const missing = migrations.slice(version);
    if (options.postgres && missing.some((migration) => !migration.isAdditive)) {
      await untilAlone(context, options);
    }
    if (missing.length > 0) await addLedgerColumn(context);
    for (const [index, migration] of missing.entries()) {
      await migration.up(context);
      await sql`insert into ${sql.table(LEDGER)} (number, name, applied_at, additive)
        values (${version + index + 1}, ${migration.name}, ${options.now()},
          ${migration.isAdditive ? 1 : 0})`.execute(tx);
    }
    return { applied: missing.map(({ name }) => name), created: version === 0, newer: [] };
  });
}

/**
 * Names of the migrations that a newer version has applied. Throws if this version cannot work with
 * one of them.
 */
export async function newerMigrations(
  // biome-ignore lint/suspicious/noExplicitAny: only the ledger is read.
  db: Kysely<any>,
  label: string,
  known: number = MIGRATIONS.length,
): Promise<readonly string[]> {
  // Read as a whole row, because ledgers of early versions have no column `additive`.
  const { rows } = await sql<{ number: number; name: string; additive?: number }>`
    select * from ${sql.table(LEDGER)} where number > ${known} order by number`.execute(db);
  const foreign = rows.find((row) => row.additive !== 1);
  if (foreign) throw newerVersion(label, foreign, known);
  return rows.map((row) => row.name);
}

/** Running servers would fail on the new schema, so the new version waits until they have ended. */
async function untilAlone({ db }: MigrationContext, options: MigrateOptions): Promise<void> {
  const patienceMs = options.endingServersMs ?? ENDING_SERVERS_MS;
  for (let waited = 0; ; waited += LOCK_POLL_MS) {
    // Not a waiting lock: a server that connects again would wait behind it.
    const { rows } = await sql<{ alone: boolean }>`
      select pg_try_advisory_xact_lock(${sql.lit(SCHEMA_LOCK)}) as alone`.execute(db);
    if (rows[0]?.alone) return;
    if (waited >= patienceMs) throw olderServers(options.label);
    await delay(LOCK_POLL_MS);
  }
}

async function currentVersion(context: MigrationContext, label: string): Promise<number> {
  const tables = await tableNames(context);
  if (tables.has(LEDGER)) {
    const found = await sql<{ number: number | null }>`
      select max(number) as number from ${sql.table(LEDGER)}`.execute(context.db);
    return found.rows[0]?.number ?? 0;
  }
  const foreign = ['alembic_version', 'users', 'projects', 'runs'].filter((t) => tables.has(t));
  if (foreign.length > 0) throw foreignDatabase(label, foreign);
  await sql`create table ${sql.table(LEDGER)}
    (number integer primary key, name text not null, applied_at bigint not null)`.execute(
    context.db,
  );
  return 0;
}

async function addLedgerColumn({ db, postgres }: MigrationContext): Promise<void> {
  const query = postgres
    ? sql<{ name: string }>`select column_name as name from information_schema.columns
        where table_schema = current_schema() and table_name = ${LEDGER}`
    : sql<{ name: string }>`select name from pragma_table_info(${LEDGER})`;
  const { rows } = await query.execute(db);
  if (rows.some((row) => row.name === 'additive')) return;
  await sql`alter table ${sql.table(LEDGER)}
    add column additive integer not null default 0`.execute(db);
}

async function tableNames(context: MigrationContext): Promise<ReadonlySet<string>> {
  const query = context.postgres
    ? sql<{ name: string }>`select table_name as name from information_schema.tables
        where table_schema = current_schema()`
    : sql<{ name: string }>`select name from sqlite_master where type = 'table'`;
  const { rows } = await query.execute(context.db);
  return new Set(rows.map((row) => row.name));
}

function newerVersion(
  label: string,
  found: { readonly number: number; readonly name: string },
  known: number,
): StoreError {
  return new StoreError(
    'store_newer_version',
    `The database ${label} was written by a newer version of dstack (schema ${found.number}, "${found.name}"; this version knows ${known}).`,
    'Start the version that wrote it or a newer one, or name another database in DSTACK_DATABASE_URL.',
  );
}

function olderServers(label: string): StoreError {
  return new StoreError(
    'store_older_servers',
    `Servers of an older version use the database ${label}, and they cannot work with the schema of this version. Nothing was changed in it.`,
    'Stop them, then start this version (Helm: --set strategy=Recreate for this upgrade).',
  );
}

function foreignDatabase(label: string, tables: readonly string[]): StoreError {
  const whose = tables.includes('alembic_version')
    ? 'the tables of a Python dstack server'
    : 'tables of another program';
  return new StoreError(
    'store_foreign_database',
    `The database ${label} holds ${whose} (${tables.join(', ')}); nothing was changed in it.`,
    'Name an empty database in DSTACK_DATABASE_URL (the two servers cannot share one).',
  );
}
