import type { ColumnType, Insertable, Updateable } from 'kysely';

/**
 * How a field is stored in its column. `plain`: text and numbers unchanged (instants are integer
 * microseconds). `bool`: boolean on PostgreSQL, 0/1 on SQLite. `json`: JSON text on both.
 */
export type Kind = 'plain' | 'bool' | 'json';

export type Snake<S extends string> = S extends `${infer Head}${infer Tail}`
  ? Head extends Lowercase<Head>
    ? `${Head}${Snake<Tail>}`
    : `_${Lowercase<Head>}${Snake<Tail>}`
  : '';

type Kinds<R> = { readonly [K in keyof Required<R>]: Kind };

export type Columns<R, C extends Kinds<R>> = {
  [K in keyof R & string as Snake<K>]: C[K] extends 'json'
    ? ColumnType<unknown, string | null, string | null>
    : C[K] extends 'bool'
      ? ColumnType<boolean, boolean, boolean>
      : R[K];
};

/** One record type and its table: knows every column, and converts rows to records and back. */
export interface Table<R, C extends Kinds<R> = Kinds<R>> {
  readonly name: string;
  readonly columns: readonly string[];
  /** Only the columns of this record; other columns of a join or of the table are omitted. */
  decode(row: object): R;
  insert(record: R): Insertable<Columns<R, C>>;
  /** Undefined fields are not written. */
  update(set: Partial<R>): Updateable<Columns<R, C>>;
}

export type RowOf<T> = T extends Table<infer R, infer C> ? Columns<R, C> : never;

interface Column {
  readonly field: string;
  readonly column: string;
  readonly kind: Kind;
}

/** `table<RunRecord>()('runs', {id: 'plain', …})`: a missing field does not compile. */
export function table<R extends object>() {
  return <const C extends Kinds<R>>(name: string, kinds: C): Table<R, C> => {
    const columns: Column[] = Object.entries<Kind>(kinds).map(([field, kind]) => ({
      field,
      column: snake(field),
      kind,
    }));
    return {
      name,
      columns: columns.map((c) => c.column),
      decode: (row) => decode(columns, row as Row) as R,
      insert: (record) => encode(columns, record as Row) as Insertable<Columns<R, C>>,
      update: (set) => encode(columns, set as Row) as Updateable<Columns<R, C>>,
    };
  };
}

type Row = Record<string, unknown>;

function decode(columns: readonly Column[], row: Row): Row {
  const record: Row = {};
  for (const { field, column, kind } of columns) {
    const value = row[column] ?? null;
    record[field] =
      kind === 'plain' || value === null
        ? value
        : kind === 'json'
          ? JSON.parse(value as string)
          : value === true || value === 1;
  }
  return record;
}

function encode(columns: readonly Column[], record: Row): Row {
  const row: Row = {};
  for (const { field, column, kind } of columns) {
    const value = record[field];
    if (value === undefined) continue;
    row[column] = kind === 'json' && value !== null ? JSON.stringify(value) : value;
  }
  return row;
}

export function snake(field: string): string {
  return field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
