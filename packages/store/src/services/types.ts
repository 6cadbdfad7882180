import type { Id, RunRecord, Timestamp } from '@dstack/core';
import type { WriteExtras } from '../writes.ts';

/** A replica that requests may be sent to. */
export interface ServiceReplica {
  readonly jobId: Id;
  readonly hostId: string;
  /** Port of the app, as its own processes know it. */
  readonly port: number;
  /** Since when its process runs. */
  readonly runningAt: Timestamp;
}

/** A service without a gateway, and where it is served. */
export interface ServiceView {
  readonly run: RunRecord;
  readonly projectName: string;
  /** Running and registered; none = nobody is there to answer. */
  readonly replicas: readonly ServiceReplica[];
}

/** Requests of one second since the epoch. */
export interface RequestCount {
  readonly runId: Id;
  readonly second: number;
  readonly requests: number;
}

/** Services that the server's own proxy serves. */
export interface Services {
  /** Null: no such run in no such project, or none that the proxy serves. */
  byName(projectName: string, runName: string): Promise<ServiceView | null>;
  /** Services of a project that serve a model, newest first: all unfinished, or the latest finished. */
  withModels(projectId: Id, which: 'unfinished' | 'finished'): Promise<ServiceView[]>;
  /** Adds to what this process (`owner`) has counted, and forgets what no window reaches. */
  addRequests(
    owner: string,
    counts: readonly RequestCount[],
    extras?: Pick<WriteExtras, 'signals'>,
  ): Promise<void>;
}
