/**
 * A run's status is derived from its jobs, except while it waits (`pending`) and while it ends.
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
 * Deadlines: `pending` ends with the retry delay, the retry budget or the next start of the schedule, or
 * lasts on purpose (a service scaled to zero). The other temporary statuses last exactly as long as those
 * of the run's jobs, each of which has its own deadline.
 */
import type { Transitions } from './transitions.ts';

export const RUN_STATUSES = [
  'pending',
  'submitted',
  'provisioning',
  'running',
  'terminating',
  'terminated',
  'failed',
  'done',
] as const;
export type RunStatus = (typeof RUN_STATUSES)[number];

/** A plain string for clients, so the list may grow. */
export const RUN_TERMINATION_REASONS = [
  'all_jobs_done',
  'job_failed',
  'retry_limit_exceeded',
  'stopped_by_user',
  'aborted_by_user',
  'server_error',
  'gateway_error',
] as const;
export type RunTerminationReason = (typeof RUN_TERMINATION_REASONS)[number];

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

export const isRunSubmitted = (status: RunStatus): boolean => status === 'submitted';

export const isRunRunning = (status: RunStatus): boolean => status === 'running';

export const isRunTerminating = (status: RunStatus): boolean => status === 'terminating';

export const isRunFailed = (status: RunStatus): boolean => status === 'failed';

export const isRunDone = (status: RunStatus): boolean => status === 'done';

/** Its status is derived from its jobs, which may be placed. */
export const isRunActive = (status: RunStatus): boolean =>
  status === 'submitted' || status === 'provisioning' || status === 'running';

/** Neither finished nor terminating. */
export const isRunAlive = (status: RunStatus): boolean =>
  !isRunFinished(status) && !isRunTerminating(status);

/** Instances were assigned to its jobs: the count of resubmissions without success starts anew. */
export const hasRunInstances = (status: RunStatus): boolean =>
  status === 'provisioning' || status === 'running';

/**
 * It has not ended and none of its jobs is running: it waits for capacity, a retry or the next start of its schedule, or is a
 * service scaled to zero. The server looks at all of them again and again. Runs that are stopped end by themselves.
 */
export const isRunWaiting = (status: RunStatus): boolean =>
  isRunAlive(status) && !isRunRunning(status);

/** A user requested the end: its schedule does not start it again. */
export const isEndedByUser = (reason: RunTerminationReason | null): boolean =>
  reason === 'stopped_by_user' || reason === 'aborted_by_user';

export const isAbort = (reason: RunTerminationReason | null): boolean =>
  reason === 'aborted_by_user';

/** The same sets for queries. */
export const UNFINISHED_RUN_STATUSES = RUN_STATUSES.filter((status) => !isRunFinished(status));
export const FINISHED_RUN_STATUSES = RUN_STATUSES.filter(isRunFinished);
export const FAILED_RUN_STATUSES = RUN_STATUSES.filter(isRunFailed);
export const WAITING_RUN_STATUSES = RUN_STATUSES.filter(isRunWaiting);
export const ALIVE_RUN_STATUSES = RUN_STATUSES.filter(isRunAlive);
export const ACTIVE_RUN_STATUSES = RUN_STATUSES.filter(isRunActive);
