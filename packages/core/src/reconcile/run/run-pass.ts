/** One pass over a run: the draft, the reports and hosts of the snapshot, and the moves of the run. */
import type { JobSpec } from '@dstack/contract/wire';
import { Draft } from '../../draft/draft.ts';
import { runStatusEvent } from '../../events/events.ts';
import type {
  DecisionContext,
  HostRecord,
  InstanceRecord,
  JobRecord,
  JobReport,
  RunRecord,
  RunSnapshot,
  RunStatus,
  RunTerminationReason,
  Timestamp,
} from '../../model/index.ts';
import { moveJob } from '../../moves/moves.ts';
import {
  assertTransition,
  isJobTerminating,
  latestSubmissions,
  RUN_TRANSITIONS,
} from '../../status/index.ts';

/** Pure functions that a run's pass needs in addition to the snapshot. */
export interface RunContext extends DecisionContext {
  /** Job specs of one replica, built from the run's present spec; one per node. */
  readonly buildJobs: (run: RunRecord, replicaNum: number, group: string) => readonly JobSpec[];
  /** First instant after `after` at which one of the cron expressions fires (UTC); null = never. */
  readonly nextFire: (cron: readonly string[], after: Timestamp) => Timestamp | null;
}

export class RunPass {
  readonly snapshot: RunSnapshot;
  readonly ctx: RunContext;
  readonly draft: Draft;
  /** Jobs whose volumes this pass has released. */
  readonly released = new Set<string>();
  /** Reports and hosts of the snapshot by key; the newest report wins. */
  #reports: ReadonlyMap<string, JobReport>;
  #hosts: ReadonlyMap<string, HostRecord>;
  #runId: string;
  /** Position of the first event of an ending job; the run's own event goes before it. */
  #firstJobEnd: number | null = null;
  /** Position after the last status event of the run itself. */
  #afterOwnEvents = 0;

  constructor(snapshot: RunSnapshot, ctx: RunContext) {
    this.snapshot = snapshot;
    this.ctx = ctx;
    this.draft = new Draft(snapshot, ctx);
    this.#reports = new Map(snapshot.reports.map((report) => [report.jobId, report]));
    this.#hosts = new Map(snapshot.hosts.map((host) => [host.id, host]));
    this.#runId = snapshot.run.id;
  }

  get now(): Timestamp {
    return this.ctx.now;
  }

  get run(): RunRecord {
    return this.draft.runs.get(this.#runId) ?? this.snapshot.run;
  }

  /** The newest submission of each job, by replica and number. */
  get latest(): JobRecord[] {
    return latestSubmissions(this.draft.jobs.all());
  }

  /** The present record of a job; the given one may be outdated. */
  fresh(job: JobRecord): JobRecord {
    return this.draft.jobs.get(job.id) ?? job;
  }

  instanceOf(job: JobRecord): InstanceRecord | null {
    return this.draft.instances.get(job.instanceId);
  }

  hostOf(job: JobRecord): HostRecord | null {
    const hostId = this.instanceOf(job)?.hostId ?? null;
    return hostId === null ? null : (this.#hosts.get(hostId) ?? null);
  }

  reportOf(job: JobRecord): JobReport | null {
    return this.#reports.get(job.id) ?? null;
  }

  /** Bytes of the job's log that are durable. */
  storedLog(job: JobRecord): number {
    return this.snapshot.logEnds[job.id] ?? 0;
  }

  setRun(patch: Partial<RunRecord>): RunRecord {
    return this.draft.runs.set(this.run, patch);
  }

  moveRun(status: RunStatus, patch: Partial<RunRecord> = {}): void {
    const from = this.run.status;
    assertTransition('run', RUN_TRANSITIONS, from, status);
    const moved = this.setRun({ ...patch, status });
    this.draft.event(runStatusEvent(from, moved));
    this.#afterOwnEvents = this.draft.eventCount;
  }

  /**
   * Writes the event of the run's end before those of jobs that ended in this pass: in the audit log
   * the end of a run always comes before the ends of its jobs.
   */
  endRun(reason: RunTerminationReason): void {
    const from = this.run.status;
    assertTransition('run', RUN_TRANSITIONS, from, 'terminating');
    const moved = this.setRun({ status: 'terminating', terminationReason: reason });
    const at = Math.max(this.#firstJobEnd ?? this.draft.eventCount, this.#afterOwnEvents);
    this.draft.eventAt(at, runStatusEvent(from, moved));
  }

  moveJob(job: JobRecord, status: JobRecord['status'], patch: Partial<JobRecord> = {}): JobRecord {
    if (isJobTerminating(status)) this.#firstJobEnd ??= this.draft.eventCount;
    return moveJob(this.draft, job, status, patch);
  }
}
