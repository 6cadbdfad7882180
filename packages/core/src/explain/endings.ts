/** Texts of how jobs and runs end. */

import type { JobRecord, JobTerminationReason, RunRecord } from '../model/index.ts';
import { SECOND } from '../model/values.ts';
import { runError, terminationText } from '../status/index.ts';
import { durationText } from './texts.ts';

/** 128 + SIGKILL: killed by the kernel (out of memory) or by another process. */
const KILLED = 137;

const TEXTS: Readonly<Record<JobTerminationReason, string>> = {
  failed_to_start_due_to_no_capacity: 'there was no place for it',
  interrupted_by_no_capacity: 'its machine was taken away',
  instance_unreachable: 'its host was lost',
  instance_access_revoked: 'its instance may not be used any more',
  waiting_instance_limit_exceeded: 'its machine did not come up',
  waiting_runner_limit_exceeded: 'the agent of its instance did not accept it in time',
  terminated_by_user: 'it was stopped',
  volume_error: 'a volume could not be used',
  gateway_error: 'its gateway could not be used',
  scaled_down: 'it was scaled down',
  done_by_runner: 'it is done',
  aborted_by_user: 'it was aborted',
  terminated_by_server: 'the server ended it',
  inactivity_duration_exceeded: 'it was unused for longer than `inactivity_duration`',
  terminated_due_to_utilization_policy: 'its GPUs were used too little (`utilization_policy`)',
  container_exited_with_error: 'its process failed',
  ports_binding_failed: 'one of its ports is taken',
  creating_container_error: 'its container could not be started',
  executor_error: 'it could not be started',
  max_duration_exceeded: 'it ran for longer than `max_duration`',
  liveness_probe_failed: 'it did not answer its liveness probe',
  log_quota_exceeded: 'it printed more than the quota of an hour',
};

/** Clouds, clusters and hosts interrupt jobs; a message names the cause. */
function reasonText(reason: JobTerminationReason, message: string | null): string {
  return reason === 'interrupted_by_no_capacity' && message ? 'it was interrupted' : TEXTS[reason];
}

/** Why a submission has ended, or is ending. */
export function endText(job: JobRecord): string {
  const reason = job.terminationReason;
  if (reason === null) return 'it has ended';
  const message = terminationText(job);
  const what = job.hostFault === null ? reasonText(reason, message) : 'its host failed';
  const text = message ? `${what}: ${message}` : what;
  if (job.exitStatus === null || job.exitStatus === 0) return text;
  const killed = job.exitStatus === KILLED ? ' (killed, perhaps for lack of memory)' : '';
  return `${text}, with exit status ${job.exitStatus}${killed}`;
}

/** Placement found offers for it, and no backend gave their machines. */
export const wasRefusedByOffers = ({
  terminationReason,
  terminationMessage,
  refusal,
}: JobRecord): boolean =>
  terminationReason === 'failed_to_start_due_to_no_capacity' &&
  terminationMessage !== null &&
  refusal === null;

/** Why a run ended; null if its jobs already explain it. */
export function runEndText(run: RunRecord): string | null {
  switch (run.terminationReason) {
    case 'all_jobs_done':
      return 'all of its jobs are done';
    case 'stopped_by_user':
      return 'it was stopped by a user';
    case 'aborted_by_user':
      return 'it was aborted by a user';
    case 'retry_limit_exceeded':
      return 'it was tried for as long as `retry` allows';
    case 'server_error':
    case 'gateway_error':
      return runError(run.terminationReason);
    default:
      return null;
  }
}

/** How long it ran; empty if it never ran. */
export function ranText({ runningAt, finishedAt }: JobRecord): string {
  if (runningAt === null || finishedAt === null) return '';
  return ` after ${durationText(Math.max(finishedAt - runningAt, SECOND))}`;
}
