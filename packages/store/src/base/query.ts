import { setImmediate } from 'node:timers/promises';
import type { Id } from '@dstack/core';
import { type RawBuilder, type SqlBool, sql } from 'kysely';
import type { Page } from './page.ts';

/** Orders and cuts by (time, id), in the wire's directions (see `Page`). */
export interface Keyset {
  readonly timeOrder: 'asc' | 'desc';
  readonly idOrder: 'asc' | 'desc';
  /** Null on the first page. */
  readonly condition: RawBuilder<SqlBool> | null;
}

/** `time` and `id` are column references, such as `runs.submitted_at`. */
export function keyset(page: Page | undefined, time: string, id: string): Keyset {
  const ascending = page?.ascending ?? false;
  return {
    timeOrder: ascending ? 'asc' : 'desc',
    idOrder: ascending ? 'desc' : 'asc',
    condition: page?.after ? beyond(page.after, ascending, sql.ref(time), sql.ref(id)) : null,
  };
}

function beyond(
  after: NonNullable<Page['after']>,
  ascending: boolean,
  time: RawBuilder<unknown>,
  id: RawBuilder<unknown>,
): RawBuilder<SqlBool> {
  const { at } = after;
  if (after.id === undefined || after.id === null) {
    return ascending ? sql`${time} > ${at}` : sql`${time} < ${at}`;
  }
  return ascending
    ? sql`(${time} >= ${at} and (${time} > ${at} or ${id} < ${after.id}))`
    : sql`(${time} <= ${at} and (${time} < ${at} or ${id} > ${after.id}))`;
}

/**
 * Spelled exactly as in the partial indexes: if it were compared with a parameter, neither database
 * would use them.
 */
export function notDeleted(column: string): RawBuilder<SqlBool> {
  return sql`not ${sql.ref(column)}`;
}

/** Case-insensitive substring; `_` and `%` have no special meaning. */
export function containsIgnoringCase(column: string, part: string): RawBuilder<SqlBool> {
  const pattern = `%${part.toLowerCase().replace(/[\\%_]/g, '\\$&')}%`;
  return sql`lower(${sql.ref(column)}) like ${pattern} escape '\\'`;
}

export function lower(names: readonly string[]): string[] {
  return names.map((name) => name.toLowerCase());
}

/**
 * Runs the query for all ids in slices that both databases accept; without ids it does not run.
 * Rows come in no order, and other work may run between slices. A slice may contain an id twice, so
 * use it in conditions only.
 */
export async function forIds<T, K = Id>(
  ids: readonly K[],
  query: (slice: K[]) => Promise<readonly T[]>,
  size: number = SLICE,
): Promise<T[]> {
  const unique = [...new Set(ids)];
  const found: T[] = [];
  for (let start = 0; start < unique.length; start += size) {
    if (start > 0) await setImmediate();
    for (const row of await query(padded(unique.slice(start, start + size)))) found.push(row);
  }
  return found;
}

/** Far below the limits of parameters per statement (32 766 and 65 535); a power of two. */
const SLICE = 4096;

/**
 * Repeats the last id up to a power of two, so that there are few different statements, which the
 * databases parse and plan once.
 */
function padded<K>(ids: readonly K[]): K[] {
  const length = 2 ** Math.ceil(Math.log2(ids.length));
  return [...ids, ...ids.slice(-1).flatMap((last) => Array<K>(length - ids.length).fill(last))];
}

/**
 * Inserts the rows in slices: the parameters of one statement are limited, and a run of hundreds of
 * jobs has thousands of values.
 */
export async function insertInSlices<Row>(
  rows: readonly Row[],
  insert: (slice: Row[]) => Promise<unknown>,
): Promise<void> {
  for (let start = 0; start < rows.length; start += ROWS) {
    // SQLite blocks this thread: let other requests run between slices.
    if (start > 0) await setImmediate();
    await insert(rows.slice(start, start + ROWS));
  }
}

/** A few thousand parameters for the widest table. */
const ROWS = 100;

/** Lists of items with the same key. */
export function groupBy<T, K>(items: readonly T[], key: (item: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const item of items) {
    const group = groups.get(key(item));
    if (group) group.push(item);
    else groups.set(key(item), [item]);
  }
  return groups;
}
