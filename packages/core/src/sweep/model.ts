/** The records of the sweep: resources in the accounts of backends that carry this server's tag. */
import type { OrphanKind } from '@dstack/contract/wire';
import type { BackendName, Id, InstanceHandle, Timestamp } from '../model/index.ts';

/** A resource with this server's tag, as its backend lists it. */
export interface ListedThing {
  readonly kind: OrphanKind;
  readonly handle: InstanceHandle;
  /** Null if the handle alone is enough to find it. */
  readonly region: string | null;
  readonly owner: OrphanOwner;
  /** Key of the order; null if the provider does not keep it. */
  readonly key: string | null;
}

/** Names from the provider's tags; empty if the provider does not keep them. */
export interface OrphanOwner {
  readonly project: string;
  readonly fleet: string;
  readonly instance: string;
}

/** A resource with this server's tag and without a record of the server. */
export interface OrphanRecord extends ListedThing {
  readonly id: Id;
  /** The project in whose backend it was found. */
  readonly projectId: Id;
  readonly backend: BackendName;
  readonly firstSeenAt: Timestamp;
  readonly lastSeenAt: Timestamp;
  /** When a second sweep confirmed and reported it; null = found once so far. */
  readonly reportedAt: Timestamp | null;
  /**
   * Written before the backend is requested to end it, so that a crash does not hide the cause;
   * null = not requested.
   */
  readonly endRequestedAt: Timestamp | null;
  /** Why it could not be ended, for people. */
  readonly error: string | null;
}

/** The sweep of one configured backend. */
export interface SweepRecord {
  readonly projectId: Id;
  readonly backend: BackendName;
  /** When it last succeeded. */
  readonly sweptAt: Timestamp | null;
  readonly nextAt: Timestamp;
  /** Consecutive failures, and the last one's message. */
  readonly failures: number;
  readonly error: string | null;
  /** Nonces of this server's latest renewals of its claim, newest first. */
  readonly nonces: readonly string[];
  /** Why the orphans of this backend are not ended, for people; null = they are ended. */
  readonly hindrance: string | null;
}
