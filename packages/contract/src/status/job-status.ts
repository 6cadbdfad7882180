/**
 * The status of one job submission.
 *
 *   submitted ──► provisioning ──► pulling ──► running
 *       │               │  └──────(process)──►  │
 *       └───────────────┴──────────┴────────────┴──► terminating
 *                                                        │
 *                            terminated | aborted | failed | done
 *
 * A `submitted` job without an instance waits for placement (with `waitingSince` for capacity, until
 * there is some or its retry is used up); with one it waits for the creation of the machine. `pulling`
 * occurs on hosts with containers only. Every job ends through `terminating`, which lasts until its
 * process has exited, its log is stored and its blocks are released (often no time at all).
 */
import type { Transitions } from './transitions.ts';

export const JOB_STATUSES = [
  'submitted',
  'provisioning',
  'pulling',
  'running',
  'terminating',
  'terminated',
  'aborted',
  'failed',
  'done',
] as const;
export type JobStatus = (typeof JOB_STATUSES)[number];

/** A plain string for clients, so the list may grow. */
export const JOB_TERMINATION_REASONS = [
  'failed_to_start_due_to_no_capacity',
  'interrupted_by_no_capacity',
  'instance_unreachable',
  'instance_access_revoked',
  'waiting_instance_limit_exceeded',
  'waiting_runner_limit_exceeded',
  'terminated_by_user',
  'volume_error',
  'gateway_error',
  'scaled_down',
  'done_by_runner',
  'aborted_by_user',
  'terminated_by_server',
  'inactivity_duration_exceeded',
  'terminated_due_to_utilization_policy',
  'container_exited_with_error',
  'ports_binding_failed',
  'creating_container_error',
  'executor_error',
  'max_duration_exceeded',
  'log_quota_exceeded',
  'liveness_probe_failed',
] as const;
export type JobTerminationReason = (typeof JOB_TERMINATION_REASONS)[number];

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

export const isJobSubmitted = (status: JobStatus): boolean => status === 'submitted';
export const isJobProvisioning = (status: JobStatus): boolean => status === 'provisioning';
export const isJobPulling = (status: JobStatus): boolean => status === 'pulling';
export const isJobRunning = (status: JobStatus): boolean => status === 'running';
export const isJobTerminating = (status: JobStatus): boolean => status === 'terminating';
export const isJobTerminated = (status: JobStatus): boolean => status === 'terminated';
export const isJobFailed = (status: JobStatus): boolean => status === 'failed';
export const isJobAborted = (status: JobStatus): boolean => status === 'aborted';
export const isJobDone = (status: JobStatus): boolean => status === 'done';

/** Neither finished nor terminating. */
export const isJobAlive = (status: JobStatus): boolean =>
  !isJobFinished(status) && !isJobTerminating(status);

/** It has an instance and is being started there. */
export const isJobStarting = (status: JobStatus): boolean =>
  isJobProvisioning(status) || isJobPulling(status);

/** The agent has received the job, so losing the host now affects it. */
export const isJobOnHost = (status: JobStatus): boolean =>
  isJobPulling(status) || isJobRunning(status);

export const isCapacityReason = (reason: JobTerminationReason | null): boolean =>
  reason === 'failed_to_start_due_to_no_capacity';

/** Reads a reason from an agent; null if the text is none of the reasons. */
export function asJobReason(word: string | null): JobTerminationReason | null {
  return JOB_TERMINATION_REASONS.find((reason) => reason === word) ?? null;
}

/** The same set for queries. */
export const UNFINISHED_JOB_STATUSES = JOB_STATUSES.filter((status) => !isJobFinished(status));
