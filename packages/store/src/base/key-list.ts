import type { Id } from '@dstack/core';
import { sql } from 'kysely';

/** Identifies one content of a row: every write to a versioned row raises its version. */
export interface VersionedKey {
  readonly id: Id;
  readonly version: number;
}

/**
 * Keys of many rows as one text, null for none: a thousand rows of two values would cost the
 * database and its driver several times as much as the rest of a list. @example
 * db.selectFrom('instances').select(keyList({ order: 'instance_num' }).as('keys'))
 */
export function keyList({ when, order }: { readonly when?: string; readonly order?: string } = {}) {
  const key = sql`id || ' ' || version`;
  // Rows for which this is null are left out.
  const listed = when === undefined ? key : sql`case when ${sql.raw(when)} then ${key} end`;
  const sorting = order === undefined ? sql`` : sql` order by ${sql.ref(order)}`;
  return sql<string | null>`string_agg(${listed}, ','${sorting})`;
}

export function parseKeyList(text: string | null): VersionedKey[] {
  if (text === null) return [];
  return text.split(',').map((key) => {
    const [id = '', version] = key.split(' ');
    return { id, version: Number(version) };
  });
}
