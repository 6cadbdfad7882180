import type { NewEvent, Signal } from '@dstack/core';

/** What goes along with a write: events in the same transaction, signals when it is committed. */
export interface WriteExtras {
  readonly events?: readonly NewEvent[];
  readonly signals?: readonly Signal[];
}

/** Answer of writes that give a thing its name. */
export type Created = 'created' | 'name-taken';

/** Answer of writes guarded by a version, or of writes to things that may be gone. */
export type Updated = 'updated' | 'conflict';

/**
 * How a new thing is named: exactly so; the lowest free `<base>-<k>`, k from 1; or the first of
 * endlessly many proposals that is free.
 */
export type NameChoice =
  | { readonly exact: string }
  | { readonly base: string }
  | { readonly propose: () => string };
