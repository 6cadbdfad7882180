/** Preemption: jobs that have to give their places to others. */
import type { ChargeRecord } from './quotas.ts';
import type { Id, Timestamp } from './values.ts';

/** A job has to leave, for a gang that its policy puts first. Withdrawn when that gang no longer waits. */
export interface EvictionRecord {
  /** The gang that asked. */
  readonly runId: Id;
  readonly replicaNum: number;
  readonly kind: 'reclaim' | 'priority';
  readonly requestedAt: Timestamp;
  /** From then to the end; Ctrl-C comes at half of it. A length, so that no wrong clock moves the end. */
  readonly seconds: number;
}

/** The request of a waiting gang; it is stored with each of its jobs. */
export interface ReclaimRecord {
  readonly since: Timestamp;
  /** Runs of the jobs that have to leave. */
  readonly runs: readonly Id[];
  /** On which they are: what becomes free there is for this gang. */
  readonly instances: readonly Id[];
  /** The shares that it will use; undefined = an older server made the request, which keeps whole instances for it. */
  readonly shares?: readonly PlannedShare[];
}

export interface PlannedShare {
  readonly instanceId: Id;
  readonly blocks: number;
}

/** A job with a place, as preemption sees it. */
export interface ClaimState {
  readonly jobId: Id;
  readonly version: number;
  readonly runId: Id;
  readonly projectId: Id;
  readonly replicaNum: number;
  readonly priority: number;
  readonly instanceId: Id;
  readonly blocks: number;
  readonly charge: ChargeRecord | null;
  /** When it got its place. */
  readonly claimedAt: Timestamp;
  /** Null: its process has not started. */
  readonly runningAt: Timestamp | null;
  /** It is ending, or has to leave for another reason. */
  readonly isEnding: boolean;
  readonly isService: boolean;
  readonly isReady: boolean;
  readonly eviction: EvictionRecord | null;
}

/** `off`, `reclaim` (guarantees), `priority` (and higher priorities inside a project); times in seconds. */
export interface PreemptionSettings {
  readonly mode: 'off' | 'reclaim' | 'priority';
  /** How long a gang runs before it may have to leave. */
  readonly minRuntime: number;
  /** From the request to the end. */
  readonly grace: number;
}
