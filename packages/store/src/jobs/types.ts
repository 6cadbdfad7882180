import type { JobMetrics, JobState, PullProgress } from '@dstack/contract/agent';
import type {
  HostHealthRecord,
  HostRecord,
  Id,
  JobLogEnd,
  JobRecord,
  JobReport,
  NoticeRecord,
  RunRecord,
  TimeLimit,
  Timestamp,
} from '@dstack/core';
import type { WriteExtras } from '../base/writes.ts';
import type { AccessSubject } from '../changes/types.ts';
import type { HealthCheckRecord, ProbeRecord } from '../schema/work-records.ts';

export interface JobView {
  readonly job: JobRecord;
  readonly run: RunRecord;
  readonly projectName: string;
  readonly userName: string;
}

/** A job on an instance. */
export interface PlacedJob {
  readonly name: string;
  readonly runId: Id;
  readonly runName: string;
  readonly userName: string;
  readonly projectId: Id;
  readonly instanceId: Id;
  readonly blocks: number;
  readonly provisionedAt: Timestamp | null;
  readonly runningAt: Timestamp | null;
  /** Null = it has no `max_duration`. */
  readonly timeLimit: TimeLimit | null;
  readonly notice: NoticeRecord | null;
}

export interface PlacedJobs {
  readonly jobs: readonly PlacedJob[];
  /** Instances with jobs that would not fit. */
  readonly incomplete: readonly Id[];
}

export interface Jobs {
  byId(id: Id): Promise<JobView | null>;
  byIds(ids: readonly Id[]): Promise<JobRecord[]>;
  /** The id of the run of a job; null = there is no such job. */
  runOf(id: Id): Promise<Id | null>;
  /** Oldest first, all submissions. */
  ofRun(runId: Id): Promise<JobRecord[]>;
  latest(runId: Id, replicaNum: number, jobNum: number): Promise<JobRecord | null>;
  /** Unfinished jobs that claim an instance of this host. */
  onHost(hostId: string): Promise<JobRecord[]>;
  /** Unfinished jobs that claim these instances, the longest there first; `limit` of them. */
  onInstances(
    instanceIds: readonly Id[],
    limit: number,
  ): Promise<readonly { readonly id: Id; readonly instanceId: Id }[]>;
  /**
   * Unfinished jobs on these instances with the names of their runs and users, oldest first, `limit` at most: of each
   * instance all or none.
   */
  placed(instanceIds: readonly Id[], limit: number): Promise<PlacedJobs>;
  /** Like `onHost`, with the runs of the jobs. */
  viewsOnHost(hostId: string): Promise<JobView[]>;
  /** Hosts with unfinished jobs of this user or project. */
  hostsOf(subject: AccessSubject): Promise<string[]>;
  /** Jobs of runs that were submitted to this fleet since then, the latest submissions first. */
  recentInFleet(fleetId: Id, since: Timestamp, limit: number): Promise<JobRecord[]>;
  /** Unfinished ones, with the names of their runs; for metrics and proxies. */
  running(): Promise<JobView[]>;
  probes(jobIds: readonly Id[]): Promise<ProbeRecord[]>;
  /** The liveness probe of a replica has failed so often in a row that it must be restarted. */
  setLivenessFailures(
    jobId: Id,
    failures: number,
    extras?: Pick<WriteExtras, 'signals'>,
  ): Promise<void>;
  insertProbes(probes: readonly ProbeRecord[]): Promise<void>;
  dueProbes(until: Timestamp, limit: number): Promise<ProbeRecord[]>;
  nextDueProbe(): Promise<Timestamp | null>;
  saveProbe(
    probe: Pick<ProbeRecord, 'id' | 'jobId' | 'successStreak' | 'due'>,
    extras?: Pick<WriteExtras, 'signals'>,
  ): Promise<void>;
}

/** Reports of agents. They change without raising a version. */
export interface Reports {
  /** Keeps the higher `seq`; returns whether this report was newer than the stored one. */
  saveState(
    /** The host whose agent reported it. */
    hostId: string,
    state: JobState,
    receivedAt: Timestamp,
    extras?: Pick<WriteExtras, 'signals'>,
  ): Promise<boolean>;
  savePull(jobId: Id, pull: PullProgress): Promise<void>;
  /** Seconds since a user was last connected to the job, read into `JobRecord.inactivitySecs`. */
  saveActivity(jobId: Id, noConnectionsSecs: number): Promise<void>;
  /** Durable log length; never falls. */
  saveLogEnd(jobId: Id, stored: number, extras?: Pick<WriteExtras, 'signals'>): Promise<void>;
  byJobs(jobIds: readonly Id[]): Promise<JobReport[]>;
  logEnds(jobIds: readonly Id[]): Promise<JobLogEnd[]>;
}

export interface StoredHosts {
  byId(id: string): Promise<HostRecord | null>;
  byIds(ids: readonly string[]): Promise<HostRecord[]>;
  list(): Promise<HostRecord[]>;
  save(host: HostRecord, extras?: Pick<WriteExtras, 'signals'>): Promise<void>;
  delete(id: string): Promise<void>;
  health(id: string): Promise<HostHealthRecord | null>;
  /** Replaces the last report; `history`: the same for each instance on the host. */
  saveHealth(
    health: HostHealthRecord,
    history: readonly HealthCheckRecord[],
    extras?: Pick<WriteExtras, 'signals'>,
  ): Promise<void>;
}

export interface Metrics {
  addJobPoints(
    points: readonly { readonly jobId: Id; readonly metrics: JobMetrics }[],
  ): Promise<void>;
  /** Also means of old ones. Newest first; `after` inclusive, `before` exclusive. */
  jobPoints(
    jobId: Id,
    range: {
      readonly after?: Timestamp | null;
      readonly before?: Timestamp | null;
      readonly limit?: number | null;
    },
  ): Promise<JobMetrics[]>;
  /** At most `most` points (two at least), evenly spread from `after` on; newest first. */
  spreadJobPoints(
    jobId: Id,
    range: { readonly after: Timestamp | null; readonly most: number },
  ): Promise<JobMetrics[]>;
  /** The newest point of each of these jobs. */
  lastJobPoints(jobIds: readonly Id[]): Promise<ReadonlyMap<Id, JobMetrics>>;
}
