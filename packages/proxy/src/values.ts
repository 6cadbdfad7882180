/** A replica that can receive requests. */
export interface ReplicaTarget {
  readonly jobId: string;
  readonly hostId: string;
  /** Port on which the app listens. */
  readonly port: number;
  /** Since when its process runs, in microseconds since the epoch. */
  readonly runningAt: number;
  /** A probe has failed since the replica became ready: others are preferred. */
  readonly isFailing: boolean;
}

/** A browser that is signed in at the origin of one service. */
export interface OriginSession {
  /** Values of cookies, one of which must be the secret. */
  readonly secrets: readonly string[];
  readonly runId: string;
}

/** Requests of one second since the epoch. */
export interface CountedSecond {
  readonly runId: string;
  readonly second: number;
  readonly requests: number;
}

/** Load of one slot of time. */
export interface MeasuredSlot {
  readonly runId: string;
  /** The number of the slot of `LOAD_SLOT` seconds since the epoch. */
  readonly slot: number;
  /** Milliseconds that requests spent in flight within the slot, added up. */
  readonly busyMs: number;
  /** Requests that ended within the slot, by `latencyBucket`. */
  readonly latencies: Readonly<Record<number, number>>;
}
