/**
 * The status of one job submission.
 *
 *   submitted ──► provisioning ──► pulling ──► running
 *       │               │  └──────(process)──►  │
 *       └───────────────┴──────────┴────────────┴──► terminating
 *                                                        │
 *                            terminated | aborted | failed | done
 *
 * `submitted` without an instance waits for placement (with `waitingSince` for capacity, until there
 * is some or its retry is spent), with one for the machine to be made. `pulling`
 * is seen on hosts with containers only. Everything ends through `terminating`, which lasts until the
 * process is gone, its log stored and its share of the instance given back (often no time at all).
 */
import type { StopStage } from '@dstack/contract/agent';
import { hasNoFleet, refusalText } from '@dstack/contract/wire';
import type { JobStatus, JobTerminationReason } from '../model/names.ts';
import { type JobRecord, SECOND, type Timestamp } from '../model/records.ts';
import type { Transitions } from './transitions.ts';

export const JOB_TRANSITIONS: Transitions<JobStatus> = {
  submitted: ['provisioning', 'terminating'],
  provisioning: ['pulling', 'running', 'terminating'],
  pulling: ['running', 'terminating'],
  running: ['terminating'],
  terminating: ['terminated', 'aborted', 'failed', 'done'],
  terminated: [],
  aborted: [],
  failed: [],
  done: [],
};

export const isJobFinished = (status: JobStatus): boolean =>
  status === 'terminated' || status === 'aborted' || status === 'failed' || status === 'done';

export const isJobTerminating = (status: JobStatus): boolean => status === 'terminating';

/** Neither finished nor on its way there. */
export const isJobAlive = (status: JobStatus): boolean =>
  !isJobFinished(status) && !isJobTerminating(status);

export const isJobSubmitted = (status: JobStatus): boolean => status === 'submitted';

/** Placement found no place for the job, and its run lets it wait for capacity. */
export const isJobWaiting = (
  job: Pick<JobRecord, 'status' | 'instanceId' | 'waitingSince'>,
): boolean => isJobSubmitted(job.status) && job.instanceId === null && job.waitingSince !== null;

export const isJobProvisioning = (status: JobStatus): boolean => status === 'provisioning';
export const isJobPulling = (status: JobStatus): boolean => status === 'pulling';
export const isJobRunning = (status: JobStatus): boolean => status === 'running';

/** It has a machine and is being started there. */
export const isJobStarting = (status: JobStatus): boolean =>
  isJobProvisioning(status) || isJobPulling(status);

/** Its agent has been given the job: a lost host matters from here on. */
export const isJobOnHost = (status: JobStatus): boolean =>
  isJobPulling(status) || isJobRunning(status);

export type RetryEvent = 'no-capacity' | 'interruption' | 'error';

interface JobEnd {
  readonly finalStatus: JobStatus;
  /** Text of `error` on the wire. */
  readonly error: string | null;
  readonly retryEvent: RetryEvent | null;
}

const failed = (error: string | null, retryEvent: RetryEvent = 'error'): JobEnd => ({
  finalStatus: 'failed',
  error,
  retryEvent,
});
const terminated = (error: string | null): JobEnd => ({
  finalStatus: 'terminated',
  error,
  retryEvent: null,
});

/** What each reason means (dstack 0.22.5): final status, error text, retry event. */
const JOB_ENDS: Readonly<Record<JobTerminationReason, JobEnd>> = {
  failed_to_start_due_to_no_capacity: failed(null, 'no-capacity'),
  interrupted_by_no_capacity: failed(null, 'interruption'),
  instance_unreachable: failed('instance unreachable'),
  instance_access_revoked: failed('instance access revoked'),
  waiting_instance_limit_exceeded: failed('waiting instance limit exceeded'),
  waiting_runner_limit_exceeded: failed('waiting runner limit exceeded'),
  terminated_by_user: terminated(null),
  volume_error: failed('volume error'),
  gateway_error: failed('gateway error'),
  scaled_down: terminated('scaled down'),
  done_by_runner: { finalStatus: 'done', error: null, retryEvent: null },
  aborted_by_user: { finalStatus: 'aborted', error: null, retryEvent: null },
  terminated_by_server: terminated(null),
  inactivity_duration_exceeded: terminated('inactivity duration exceeded'),
  terminated_due_to_utilization_policy: terminated('utilization policy'),
  container_exited_with_error: failed(null),
  ports_binding_failed: failed('ports binding failed'),
  creating_container_error: failed('runner error'),
  executor_error: failed('executor error'),
  max_duration_exceeded: terminated('max duration exceeded'),
  log_quota_exceeded: failed('log quota exceeded'),
};

export const jobEnd = (reason: JobTerminationReason): JobEnd => JOB_ENDS[reason];

/** Reads a reason that came from outside; null for words that are none. */
export function asJobReason(word: string | null): JobTerminationReason | null {
  return word !== null && Object.hasOwn(JOB_ENDS, word) ? (word as JobTerminationReason) : null;
}

export const isCapacityReason = (reason: JobTerminationReason | null): boolean =>
  reason === 'failed_to_start_due_to_no_capacity';

/** Text of `error` of a job submission on the wire. */
export function jobError(reason: JobTerminationReason | null): string | null {
  return reason === null ? null : JOB_ENDS[reason].error;
}

/** Text of `termination_reason_message` on the wire: the stored message, or the refusal. */
export function terminationText(
  job: Pick<JobRecord, 'terminationReason' | 'terminationMessage' | 'refusal'>,
): string | null {
  if (job.terminationMessage !== null) return job.terminationMessage;
  const isUnplaced = isCapacityReason(job.terminationReason) && job.refusal !== null;
  return isUnplaced && job.refusal ? refusalText(job.refusal) : null;
}

/** What a submission contributes to the status of its run. */
export type JobOutcome =
  | 'submitted'
  | 'provisioning'
  | 'running'
  | 'done'
  /** Does not count for the run. */
  | 'scaled_down'
  /** Ended for a reason that may be retried. */
  | 'failed';

export function jobOutcome(job: Pick<JobRecord, 'status' | 'terminationReason'>): JobOutcome {
  if (job.terminationReason === 'scaled_down') return 'scaled_down';
  switch (job.status) {
    case 'submitted':
      return 'submitted';
    case 'provisioning':
    case 'pulling':
      return 'provisioning';
    case 'running':
      return 'running';
    case 'done':
      return 'done';
    case 'terminating':
      return job.terminationReason === 'done_by_runner' ? 'done' : 'failed';
    default:
      return 'failed';
  }
}

/** Worth of a replica when some must go: the highest stay. 3 = takes requests. */
export function jobImportance(job: Pick<JobRecord, 'status' | 'ready'>): number {
  if (isJobRunning(job.status)) return job.ready ? 3 : 2;
  return isJobStarting(job.status) ? 1 : 0;
}

const STAGES: Readonly<Record<StopStage, string>> = {
  interrupt: 'Ctrl-C',
  terminate: 'SIGTERM',
  kill: 'SIGKILL',
};

/** How far something has come that happens beside a job. */
export interface JobProgress {
  /** Of a stop that is under way. */
  readonly stop: StopStage | null;
  /** Of the creation of its machine, as the backend reports it. */
  readonly machine: string | null;
}

export const NO_PROGRESS: JobProgress = { stop: null, machine: null };

/** Characters of a stage that are shown beside a status. */
const SHOWN_STAGE = 40;

/**
 * What a user should know beside the status: the host is unreachable, how far a stop has come, or
 * what is being done to the machine.
 */
export function jobCondition(
  job: Pick<JobRecord, 'status' | 'disconnectedAt'>,
  { stop, machine }: JobProgress,
): string | null {
  if (isJobFinished(job.status)) return null;
  if (job.disconnectedAt !== null) return 'unreachable';
  if (isJobTerminating(job.status)) return stop && STAGES[stop];
  if (!isJobProvisioning(job.status) || machine === null) return null;
  return machine.length > SHOWN_STAGE ? `${machine.slice(0, SHOWN_STAGE - 1)}…` : machine;
}

/** Text of `status_message` of a job submission on the wire. */
export function jobStatusMessage(
  job: Pick<
    JobRecord,
    'status' | 'terminationReason' | 'refusal' | 'exitStatus' | 'disconnectedAt'
  >,
  progress: JobProgress = NO_PROGRESS,
): string {
  if (job.status === 'done') return 'exited (0)';
  if (job.status === 'failed') return failedMessage(job);
  if (job.status === 'terminated' && job.terminationReason === 'terminated_by_user') {
    return 'stopped';
  }
  const condition = jobCondition(job, progress);
  return condition === null ? job.status : `${job.status} (${condition})`;
}

function failedMessage(
  job: Pick<JobRecord, 'terminationReason' | 'refusal' | 'exitStatus'>,
): string {
  switch (job.terminationReason) {
    case 'container_exited_with_error':
      // What cannot be set up (its repository, say) has failed without a process.
      return job.exitStatus === null ? 'error' : `exited (${job.exitStatus})`;
    case 'failed_to_start_due_to_no_capacity':
      return job.refusal !== null && hasNoFleet(job.refusal) ? 'no fleets' : 'no capacity';
    case 'interrupted_by_no_capacity':
      return 'interrupted';
    default:
      return 'error';
  }
}

/** The newest submission of each job, by replica and job number. */
export function latestSubmissions<J extends JobRecord>(jobs: readonly J[]): J[] {
  const latest = new Map<string, J>();
  for (const job of jobs) {
    const key = `${job.replicaNum}/${job.jobNum}`;
    const known = latest.get(key);
    if (known === undefined || known.submissionNum < job.submissionNum) latest.set(key, job);
  }
  return [...latest.values()].sort((a, b) => a.replicaNum - b.replicaNum || a.jobNum - b.jobNum);
}

// Deadlines of the passing statuses. `provisioning` has that of its machine (`instance-status.ts`).

/** Making a machine, all offers together; a later machine belongs to its fleet. */
export const CREATE_LIMIT = 3600 * SECOND;

/**
 * From the agent's first word to the running process. Agents give a pull up on their own, and far
 * sooner; this is for one that never says anything again though its host is connected.
 */
export const PULLING_LIMIT = 2 * 3600 * SECOND;

/** An agent enforces `max_duration`; this long after it the server does. */
export const MAX_DURATION_MARGIN = 120 * SECOND;

/** A log that cannot be stored holds a job's end up no longer than this; it follows later. */
export const LOG_WAIT = 300 * SECOND;

/** Between the end of `stop_duration`, at which the agent kills, and the server's own kill. */
export const STOP_MARGIN = 10 * SECOND;

/** After a kill was ordered the job ends, answered or not; its removal stays ordered. */
export const KILL_LIMIT = 30 * SECOND;

/** A host is missed only after this: short breaks of a link are nothing to tell. */
export const DISCONNECT_GRACE = 5 * SECOND;

/**
 * When a job that was asked to end is killed. Null = never by time: the user has set
 * `stop_duration: off`; then only the process, an abort or the loss of its host ends it.
 */
export function killDeadline(
  job: Pick<JobRecord, 'stopRequestedAt' | 'stopGraceful' | 'spec'>,
): Timestamp | null {
  if (job.stopRequestedAt === null) return null;
  if (!job.stopGraceful) return job.stopRequestedAt;
  const seconds = job.spec.stop_duration ?? null;
  return seconds === null ? null : job.stopRequestedAt + seconds * SECOND + STOP_MARGIN;
}
