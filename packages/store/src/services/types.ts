import type { Id, LatencyCounts, QueryAnswer, RunRecord, Timestamp } from '@dstack/core';
import type { WriteExtras } from '../base/writes.ts';
import type { StoredDelivery } from '../gateways/deliveries.ts';

/** A replica that can receive requests. */
export interface ServiceReplica {
  readonly jobId: Id;
  readonly hostId: string;
  /** Port on which the app listens. */
  readonly port: number;
  /** Since when its process runs. */
  readonly runningAt: Timestamp;
  /** A probe has failed since the replica became ready: others are preferred. */
  readonly isFailing: boolean;
}

/** A service without a gateway, and its replicas. */
export interface ServiceView {
  readonly run: RunRecord;
  readonly projectName: string;
  /** Running and registered ones; none = no replica can answer. */
  readonly replicas: readonly ServiceReplica[];
}

/** A service behind a gateway, of any project. */
export interface ServiceBeside {
  readonly projectName: string;
  readonly run: Pick<RunRecord, 'name' | 'serviceSpec'>;
}

export interface FoundService {
  readonly runId: Id;
  readonly runName: string;
  readonly projectName: string;
}

/** Requests of one second since the epoch. */
export interface RequestCount {
  readonly runId: Id;
  readonly second: number;
  readonly requests: number;
}

/** Load of one slot of time. */
export interface LoadSlot {
  readonly runId: Id;
  /** The number of the slot of `LOAD_SLOT` seconds since the epoch. */
  readonly slot: number;
  /** Milliseconds that requests spent in flight within the slot, added up. */
  readonly busyMs: number;
  /** Requests that ended within the slot. */
  readonly latencies: LatencyCounts;
}

/** Services that the server's own proxy serves. */
export interface Services {
  /** Null: no such run in such a project, or a run that the proxy does not serve. */
  byName(projectName: string, runName: string): Promise<ServiceView | null>;
  /** Null: the run does not exist, has finished, or is none that the proxy serves. */
  byRun(runId: Id): Promise<ServiceView | null>;
  /** Whether the run is a service, behind a gateway or not, finished or not. */
  isService(runId: Id): Promise<boolean>;
  /** The unfinished services that the proxy serves whose ids begin so. */
  byIdPrefix(prefix: string): Promise<FoundService[]>;
  /** All unfinished services that the proxy serves. */
  unfinished(): Promise<ServiceView[]>;
  /** Unfinished services behind a gateway. */
  behindGateway(gatewayId: Id): Promise<ServiceView[]>;
  /** The same, oldest first, without their replicas. */
  namesBehindGateway(gatewayId: Id): Promise<ServiceBeside[]>;
  /** Models of its latest services, also of ended and deleted ones. */
  modelsBehindGateway(
    gatewayId: Id,
  ): Promise<{ readonly projectName: string; readonly model: string }[]>;
  /** Null: no unfinished run has this id, or it is not behind a gateway. */
  onGateway(runId: Id): Promise<ServiceView | null>;
  /** The ready replicas of those of these runs that are unfinished services, behind a gateway or not, by run. */
  readyReplicas(runIds: readonly Id[]): Promise<ReadonlyMap<Id, readonly ServiceReplica[]>>;
  /** Services of a project that serve a model, newest first: all unfinished, or the latest finished. */
  withModels(projectId: Id, which: 'unfinished' | 'finished'): Promise<ServiceView[]>;
  /**
   * Adds to the counts of this process (`owner`), and deletes counts outside every window. A `delivery`
   * is added once; its signals are sent each time.
   */
  addRequests(
    owner: string,
    counts: readonly RequestCount[],
    extras?: Pick<WriteExtras, 'signals'>,
    delivery?: StoredDelivery | null,
  ): Promise<void>;
  /** Replaces what this process (`owner`) has measured in these slots, and deletes old slots. */
  setLoad(owner: string, slots: readonly LoadSlot[]): Promise<void>;
  /** Stores the last answer of Prometheus to the query with this `queryKey`. */
  setQueryAnswer(runId: Id, key: string, answer: QueryAnswer, extras?: WriteExtras): Promise<void>;
  /**
   * Counts a request of a rate limit that all servers share. Returns 0 if it is allowed, else the
   * number of seconds until the next one is; a refused request is not counted.
   */
  takeRate(
    key: string,
    rate: { readonly rps: number; readonly burst: number },
    now: Timestamp,
  ): Promise<number>;
  /** The same for several requests at once, of which as many are counted as are allowed. */
  takeRates(
    key: string,
    rate: { readonly rps: number; readonly burst: number },
    requests: {
      readonly most: number;
      /** How long the first of them has waited: they are counted as if they had come one after the other since then. */
      readonly waitedMs: number;
      readonly now: Timestamp;
    },
  ): Promise<{
    readonly granted: number;
    /** Milliseconds until the next one is allowed; 0 = all of these are. */
    readonly waitMs: number;
  }>;
  /** Returns the number of deleted rows. */
  deleteDrainedRateBuckets(now: Timestamp): Promise<number>;
}
