import type { Timestamp } from './values.ts';

/** The figures by which services with `autoscaling` are measured. Windows are in seconds. */
export interface ServiceLoad {
  /** Seconds that requests spent in flight, added up, by window. */
  readonly busySeconds: Readonly<Record<number, number>>;
  /** Ended requests by their latency's bucket (`latency-buckets.ts`), by window. */
  readonly latencies: Readonly<Record<number, LatencyCounts>>;
  /** Last answers of Prometheus by `queryKey`. */
  readonly queries: Readonly<Record<string, QueryAnswer>>;
}

/** Number of requests by bucket. */
export type LatencyCounts = Readonly<Record<number, number>>;

/** The last answer to a query; an `error` keeps the last number of replicas. */
export interface QueryAnswer {
  readonly value: number | null;
  readonly error: string | null;
  readonly at: Timestamp;
}

/** Since when one rule has continuously required more, or fewer, replicas than there are. */
export interface ScalingTrack {
  /** The number of replicas that it compares with. */
  readonly from: number;
  readonly direction: 'up' | 'down';
  readonly since: Timestamp;
  /** The most moderate number that it has required since then. */
  readonly moderate: number;
}

export interface ScalingChange {
  readonly at: Timestamp;
  readonly from: number;
  readonly to: number;
  /** Figure, target and time. */
  readonly why: string;
}

/** How far the rules of one group have come. */
export interface GroupScaling {
  /** By the number of the rule; null = it requires the present number. */
  readonly tracks: readonly (ScalingTrack | null)[];
  readonly last: ScalingChange | null;
}
