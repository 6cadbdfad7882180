import type { OrphanKind } from '@dstack/contract/wire';
import type { BackendName, Id, OrphanRecord, SweepRecord } from '@dstack/core';
import type { WriteExtras } from '../base/writes.ts';

/** Sweeps of configured backends, and the orphans that they have found. */
export interface Sweeps {
  list(): Promise<SweepRecord[]>;
  /** In the order in which they were found. */
  orphans(): Promise<OrphanRecord[]>;
  /**
   * Ids of the resources that rows of all projects have in backends of this name, read at one
   * moment.
   */
  knownIds(backend: BackendName): Promise<KnownIds>;
  /**
   * Writes the sweep and its orphans, and deletes those that are no longer orphans, all or nothing.
   */
  save(outcome: SweepOutcome, extras?: WriteExtras): Promise<void>;
  /** The backend is not configured any more. */
  forget(sweep: Pick<SweepRecord, 'projectId' | 'backend'>): Promise<void>;
}

export type KnownIds = Readonly<Record<OrphanKind, ReadonlySet<string>>>;

export interface SweepOutcome {
  readonly sweep: SweepRecord;
  readonly orphans?: readonly OrphanRecord[];
  readonly settled?: readonly Id[];
}
