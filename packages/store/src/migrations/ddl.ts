import { type Kysely, sql } from 'kysely';

/** The input of a migration: the database inside its transaction, and the dialect. */
export interface MigrationContext {
  // biome-ignore lint/suspicious/noExplicitAny: a migration knows the schema of its own time only.
  readonly db: Kysely<any>;
  readonly postgres: boolean;
}

export interface Migration {
  readonly name: string;
  /**
   * Servers of the version before can go on reading and writing after it, so replicas are upgraded
   * one after the other, and an older version can be started again. It only makes tables, indexes
   * that are not unique, and columns that may be null or have a default; what older servers write
   * without these columns, and keep unread in them, must be right for newer servers.
   */
  readonly isAdditive?: true;
  up(context: MigrationContext): Promise<void>;
}

const TYPES = {
  text: ['text', 'text'],
  int: ['integer', 'integer'],
  big: ['bigint', 'bigint'],
  float: ['double precision', 'double precision'],
  bool: ['integer', 'boolean'],
  // json, not jsonb: it keeps the order of keys, and no query searches inside.
  json: ['text', 'json'],
  blob: ['blob', 'bytea'],
} as const;

type TypeName = keyof typeof TYPES;

/**
 * A column: type, `!` = not null, ` -> table` = reference checked at commit (so that the order of
 * writes does not matter), ` => table` = reference whose row deletes this one along with itself.
 */
export type ColumnSpec = `${TypeName}${'' | '!'}${'' | ` -> ${string}` | ` => ${string}`}`;

const SPEC = /^([a-z]+)(!?)(?: (->|=>) ([a-z_]+))?$/;

export async function createTable(
  context: MigrationContext,
  name: string,
  columns: Readonly<Record<string, ColumnSpec>>,
  primaryKey: readonly string[] = ['id'],
): Promise<void> {
  const lines = Object.entries(columns).map(([column, spec]) => columnSql(context, column, spec));
  lines.push(`primary key (${primaryKey.join(', ')})`);
  await sql.raw(`create table ${name} (${lines.join(', ')})`).execute(context.db);
}

function columnSql(context: MigrationContext, column: string, spec: ColumnSpec): string {
  const [, type, notNull, arrow, target] = SPEC.exec(spec) ?? [];
  const sqlType = TYPES[type as TypeName][context.postgres ? 1 : 0];
  const reference =
    arrow === '->'
      ? ` references ${target} (id) deferrable initially deferred`
      : arrow === '=>'
        ? ` references ${target} (id) on delete cascade`
        : '';
  return `${column} ${sqlType}${notNull ? ' not null' : ''}${reference}`;
}

/** `createIndex(c, 'runs', 'project_id, name', {unique: true, where: 'not deleted'})` */
export async function createIndex(
  context: MigrationContext,
  table: string,
  columns: string,
  options: { readonly unique?: boolean; readonly where?: string; readonly name?: string } = {},
): Promise<void> {
  const name = options.name ?? `${table}_${columns.replace(/[^a-z0-9_]+/g, '_')}`;
  const unique = options.unique ? 'unique ' : '';
  const where = options.where ? ` where ${options.where}` : '';
  await sql
    .raw(`create ${unique}index ${name} on ${table} (${columns})${where}`)
    .execute(context.db);
}
