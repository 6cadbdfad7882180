import type { Timestamp } from '@dstack/core';
import type { OriginPattern } from '@dstack/proxy';
import type { EntryRoute } from '../../ssh-entry/entry-route.ts';

/** How a run is shown. */
export interface RunShape {
  readonly now: Timestamp;
  /** The server's SSH entry; null = there is none. */
  readonly entry: EntryRoute | null;
  /** Host names of services; null = they have none. */
  readonly origins: OriginPattern | null;
  /** Includes how to connect to running jobs: only if one run was requested. */
  readonly connection?: boolean;
  /** False: jobs without their submissions. */
  readonly submissions?: boolean;
}
