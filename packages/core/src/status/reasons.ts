/** The meaning of each reason for an end (dstack 0.22.5). */
import type { RetryEvent } from '@dstack/contract';
import type {
  JobStatus,
  JobTerminationReason,
  RunStatus,
  RunTerminationReason,
} from '../model/names.ts';

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
  liveness_probe_failed: failed('liveness probe failed'),
};

export const jobEnd = (reason: JobTerminationReason): JobEnd => JOB_ENDS[reason];

/** Text of `error` of a job submission on the wire. */
export function jobError(reason: JobTerminationReason | null): string | null {
  return reason === null ? null : JOB_ENDS[reason].error;
}

interface RunEnd {
  readonly finalStatus: RunStatus;
  /** Text of `run.error`. */
  readonly error: string | null;
  /** Reason given to jobs that are still alive. */
  readonly jobReason: JobTerminationReason;
  /** Running jobs are requested to end, not killed. */
  readonly graceful: boolean;
}

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

/** Text of `run.error` on the wire. */
export function runError(reason: RunTerminationReason | null): string | null {
  return reason === null ? null : RUN_ENDS[reason].error;
}
