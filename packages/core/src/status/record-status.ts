/** Predicates of a status together with other fields of its record. */
import {
  isInstancePending,
  isJobRunning,
  isJobStarting,
  isJobSubmitted,
} from '@dstack/contract/status';
import type { InstanceRecord, JobRecord } from '../model/records.ts';

/** Placement found no place for the job, and its run lets it wait for capacity. */
export const isJobWaiting = (
  job: Pick<JobRecord, 'status' | 'instanceId' | 'waitingSince'>,
): boolean => isJobSubmitted(job.status) && job.instanceId === null && job.waitingSince !== null;

/** A machine is being created for its job. */
export const isPlaceholder = (
  instance: Pick<InstanceRecord, 'status' | 'provisioningJobId'>,
): boolean => isInstancePending(instance.status) && instance.provisioningJobId !== null;

/** The contribution of a submission to the status of its run. */
export type JobOutcome =
  | 'submitted'
  | 'provisioning'
  | 'running'
  | 'done'
  /** The run ignores it. */
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

/**
 * The importance of a replica when some must be removed: the highest stay. 3 = receives requests.
 */
export function jobImportance(job: Pick<JobRecord, 'status' | 'ready'>): number {
  if (isJobRunning(job.status)) return job.ready ? 3 : 2;
  return isJobStarting(job.status) ? 1 : 0;
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
