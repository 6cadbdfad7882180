import type { NewEvent, Signal } from '@dstack/core';

/** The additions to a write: events in the same transaction, signals after its commit. */
export interface WriteExtras {
  readonly events?: readonly NewEvent[];
  readonly signals?: readonly Signal[];
}

/** Outcome of writes that name a new record. */
export type Created = 'created' | 'name-taken';

/** Outcome of writes guarded by a version, or of writes to records that may be deleted. */
export type Updated = 'updated' | 'conflict';

/**
 * How a new record is named: exactly this name; the lowest free `<base>-<k>`, k from 1; or the
 * first free one of endless proposals.
 */
export type NameChoice =
  | { readonly exact: string }
  | { readonly base: string }
  | { readonly propose: () => string };
