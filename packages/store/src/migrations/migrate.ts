import { type Kysely, sql } from 'kysely';
import { StoreError } from '../errors.ts';
import type { Migration, MigrationContext } from './ddl.ts';
import { MIGRATIONS } from './index.ts';

/** Any constant works, as long as every server uses the same. */
export const ADVISORY_LOCK = 7_282_010_422;

const LEDGER = 'dstack_migrations';

export interface MigrateOptions {
  // biome-ignore lint/suspicious/noExplicitAny: migrations know the schema of their own time only.
  readonly db: Kysely<any>;
  readonly postgres: boolean;
  readonly now: () => number;
  /** For error messages: the database without its password. */
  readonly label: string;
  readonly migrations?: readonly Migration[];
}

/**
 * Migrates the database to this version, all or nothing. Servers that start together on PostgreSQL
 * wait for one another. A database that is newer than this program, or belongs to another program,
 * is refused unchanged.
 */
export async function migrate(options: MigrateOptions): Promise<readonly string[]> {
  const migrations = options.migrations ?? MIGRATIONS;
  return options.db.transaction().execute(async (tx) => {
    const context: MigrationContext = { db: tx, postgres: options.postgres };
    if (options.postgres) {
      await sql`select pg_advisory_xact_lock(${sql.lit(ADVISORY_LOCK)})`.execute(tx);
    }
    const version = await currentVersion(context, options.label);
    if (version > migrations.length) throw newerVersion(options.label, version, migrations.length);
    const applied: string[] = [];
    for (const [index, migration] of migrations.entries()) {
      if (index < version) continue;
      await migration.up(context);
      await sql`insert into ${sql.table(LEDGER)} (number, name, applied_at)
        values (${index + 1}, ${migration.name}, ${options.now()})`.execute(tx);
      applied.push(migration.name);
    }
    return applied;
  });
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

async function tableNames(context: MigrationContext): Promise<ReadonlySet<string>> {
  const query = context.postgres
    ? sql<{ name: string }>`select table_name as name from information_schema.tables
        where table_schema = current_schema()`
    : sql<{ name: string }>`select name from sqlite_master where type = 'table'`;
  const { rows } = await query.execute(context.db);
  return new Set(rows.map((row) => row.name));
}

function newerVersion(label: string, found: number, known: number): StoreError {
  return new StoreError(
    'store_newer_version',
    `The database ${label} was written by a newer version of dstack (schema ${found}, this version knows ${known}).`,
    'Start the version that wrote it or a newer one, or name another database in DSTACK_DATABASE_URL.',
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
