import type { Id, Timestamp } from '@dstack/core';

/**
 * One page of a list in keyset order. Descending: newest first, equal times by id upwards;
 * ascending: oldest first, equal times by id downwards (as the wire contract defines it).
 */
export interface Page {
  /** Time and id of the last row of the previous page; `id` null: only rows of another time. */
  readonly after?: { readonly at: Timestamp; readonly id?: Id | null } | null;
  /** Most rows; undefined = no limit. */
  readonly limit?: number;
  readonly ascending?: boolean;
}
