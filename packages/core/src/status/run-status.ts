/**
 * A run's status is derived from its jobs, but for waiting (`pending`) and ending.
 *
 *   submit ──────────► submitted ◄──► provisioning ◄──► running
 *   submit (schedule)      │ ▲              │              │
 *        │                 │ │ retry, fire  │              │
 *        ▼                 ▼ │              ▼              │
 *      pending ◄──────── nothing active, something to retry ┘
 *        │                              │
 *        └── stop, budget spent ──► terminating ──► terminated | failed | done
 *                                       └──► pending (a schedule fires again)
 *
 * Deadlines: `pending` ends with the retry delay, the retry budget or the next firing, or lasts on
 * purpose (a service scaled to zero). The other passing statuses last exactly as long as those of
 * the run's jobs, each of which has a deadline of its own (`job-status.ts`).
 */
import type { JobTerminationReason, RunStatus, RunTerminationReason } from '../model/names.ts';
import type { Id, JobRecord } from '../model/records.ts';
import {
  isCapacityReason,
  isJobPulling,
  isJobWaiting,
  type JobProgress,
  jobCondition,
  latestSubmissions,
  NO_PROGRESS,
} from './job-status.ts';
import type { Transitions } from './transitions.ts';

export const RUN_TRANSITIONS: Transitions<RunStatus> = {
  pending: ['submitted', 'terminating'],
  submitted: ['provisioning', 'running', 'pending', 'terminating'],
  provisioning: ['submitted', 'running', 'pending', 'terminating'],
  running: ['submitted', 'provisioning', 'pending', 'terminating'],
  terminating: ['pending', 'terminated', 'failed', 'done'],
  terminated: [],
  failed: [],
  done: [],
};

export const isRunFinished = (status: RunStatus): boolean =>
  status === 'terminated' || status === 'failed' || status === 'done';

export const isRunPending = (status: RunStatus): boolean => status === 'pending';

export const isRunTerminating = (status: RunStatus): boolean => status === 'terminating';

export const isRunRunning = (status: RunStatus): boolean => status === 'running';

/** Its status follows from its jobs. */
export const isRunActive = (status: RunStatus): boolean =>
  status === 'submitted' || status === 'provisioning' || status === 'running';

/** A machine was had: the count of fruitless resubmissions starts anew. */
export const hasRunGotMachines = (status: RunStatus): boolean =>
  status === 'provisioning' || status === 'running';

interface RunEnd {
  readonly finalStatus: RunStatus;
  /** Text of `run.error`. */
  readonly error: string | null;
  /** Reason given to jobs that still live. */
  readonly jobReason: JobTerminationReason;
  /** Jobs that run are asked to end, not killed. */
  readonly graceful: boolean;
}

/** What each reason means (dstack 0.22.5). */
const RUN_ENDS: Readonly<Record<RunTerminationReason, RunEnd>> = {
  all_jobs_done: end('done', null, 'done_by_runner', false),
  job_failed: end('failed', null, 'terminated_by_server', true),
  retry_limit_exceeded: end('failed', 'retry limit exceeded', 'terminated_by_server', true),
  stopped_by_user: end('terminated', null, 'terminated_by_user', true),
  aborted_by_user: end('terminated', null, 'aborted_by_user', false),
  server_error: end('failed', 'server error', 'terminated_by_server', true),
  gateway_error: end('failed', 'gateway error', 'terminated_by_server', true),
};

function end(
  finalStatus: RunStatus,
  error: string | null,
  jobReason: JobTerminationReason,
  graceful: boolean,
): RunEnd {
  return { finalStatus, error, jobReason, graceful };
}

export const runEnd = (reason: RunTerminationReason): RunEnd => RUN_ENDS[reason];

/** A person wanted the end: a schedule does not go on after it. */
export const isEndedByUser = (reason: RunTerminationReason | null): boolean =>
  reason === 'stopped_by_user' || reason === 'aborted_by_user';

export const isAbort = (reason: RunTerminationReason | null): boolean =>
  reason === 'aborted_by_user';

/** Text of `run.error` on the wire. */
export function runError(reason: RunTerminationReason | null): string | null {
  return reason === null ? null : RUN_ENDS[reason].error;
}

/**
 * Text of `run.status_message` on the wire: `pulling` and `retrying` are no statuses, and what holds
 * for all of its jobs is told of the run. `progress`: by job id.
 */
export function runStatusMessage(
  run: { readonly status: RunStatus },
  jobs: readonly JobRecord[],
  progress: Readonly<Record<Id, JobProgress>> = {},
): string {
  if (jobs.length === 0) return run.status;
  const latest = latestSubmissions(jobs);
  const [condition, ...others] = new Set(
    latest.map((job) => jobCondition(job, progress[job.id] ?? NO_PROGRESS)),
  );
  const text = statusText(run, jobs, latest);
  return condition && others.length === 0 ? `${text} (${condition})` : text;
}

function statusText(
  run: { readonly status: RunStatus },
  jobs: readonly JobRecord[],
  latest: readonly JobRecord[],
): string {
  if (latest.every((job) => isJobPulling(job.status))) return 'pulling';
  if (run.status !== 'submitted' && run.status !== 'pending') return run.status;
  return latest.some((job) => isRetryingForCapacity(job, jobs)) ? 'retrying' : run.status;
}

function isRetryingForCapacity(job: JobRecord, all: readonly JobRecord[]): boolean {
  if (isJobWaiting(job)) return true;
  if (!job.spec.retry?.on_events.includes('no-capacity')) return false;
  const withReason = all
    .filter((one) => one.replicaNum === job.replicaNum && one.jobNum === job.jobNum)
    .filter((one) => one.terminationReason !== null)
    .sort((a, b) => b.submissionNum - a.submissionNum);
  return isCapacityReason(withReason[0]?.terminationReason ?? null);
}
