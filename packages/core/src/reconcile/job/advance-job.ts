/** One step of one job submission. */
import type { InstanceRecord, JobRecord, JobTerminationReason } from '../../model/index.ts';
import {
  isInstanceActive,
  isJobFinished,
  isJobOnHost,
  isJobRunning,
  isJobStarting,
  isJobSubmitted,
  isJobTerminating,
} from '../../status/index.ts';
import type { RunPass } from '../run/run-pass.ts';
import { advanceEnd, endJob, exitIsSettled } from './end-job.ts';
import { advanceSubmitted } from './place-job.ts';
import { isTooLongUnreachable, lostReason, trackReachability } from './reachability.ts';
import { removeAgain } from './release-job.ts';
import { advanceRunning } from './running-job.ts';
import { advanceStarting, endByExit } from './start-job.ts';

/** At most one change of status, so that the run follows each of them. */
export function advanceJob(pass: RunPass, job: JobRecord): void {
  if (isJobFinished(job.status)) {
    removeAgain(pass, job);
    return;
  }
  if (isJobTerminating(job.status)) {
    if (job.instanceId !== null && pass.reportOf(job) !== null) trackReachability(pass, job);
    advanceEnd(pass, pass.fresh(job));
    return;
  }
  if (isJobSubmitted(job.status)) {
    advanceSubmitted(pass, job);
    return;
  }
  const instance = pass.instanceOf(job);
  if (instance === null || !isInstanceActive(instance.status)) {
    endWithoutInstance(pass, job, instance);
    return;
  }
  if (isJobOnHost(job.status) && !hasExited(pass, job)) {
    trackReachability(pass, job);
    const known = pass.fresh(job);
    if (isTooLongUnreachable(pass, known)) {
      const message = 'The instance could not be reached for too long';
      endJob(pass, known, lostReason(known), { message });
      return;
    }
  }
  const known = pass.fresh(job);
  if (isJobStarting(known.status)) advanceStarting(pass, known, instance);
  else if (isJobRunning(known.status)) advanceRunning(pass, known);
}

function hasExited(pass: RunPass, job: JobRecord): boolean {
  return pass.reportOf(job)?.state.phase === 'exited';
}

/** The job's instance is ending or has ended. Earlier reports of the agent still count. */
function endWithoutInstance(pass: RunPass, job: JobRecord, instance: InstanceRecord | null): void {
  const report = pass.reportOf(job);
  if (report !== null && hasExited(pass, job)) {
    if (exitIsSettled(pass, job)) endByExit(pass, job, report);
    return;
  }
  const message = instance?.terminationMessage ?? 'The instance was terminated';
  // The job's own processes filled the memory, and its agent ended with them.
  if (instance?.terminationReason === 'out_of_memory') {
    endJob(pass, job, 'container_exited_with_error', { message, exitStatus: KILLED });
    return;
  }
  endJob(pass, job, withoutInstanceReason(job, instance), { message });
}

/** Exit status of a process that SIGKILL ended. */
const KILLED = 137;

function withoutInstanceReason(
  job: JobRecord,
  instance: InstanceRecord | null,
): JobTerminationReason {
  if (instance?.terminationReason === 'interrupted') return 'interrupted_by_no_capacity';
  if (!isJobStarting(job.status)) return lostReason(job);
  if (instance?.terminationReason === 'no_offers') return 'failed_to_start_due_to_no_capacity';
  if (!job.provisioningData?.hostname) return 'waiting_instance_limit_exceeded';
  return instance?.terminationReason === 'provisioning_timeout'
    ? 'waiting_runner_limit_exceeded'
    : lostReason(job);
}
