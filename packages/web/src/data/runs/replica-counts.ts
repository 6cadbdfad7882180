import { isJobAlive, isJobRunning } from '@dstack/contract/status';
import type { Run } from '@dstack/contract/wire';

export interface ReplicaCounts {
  /** Those that the service has or is about to get: ended ones and those that end are not among them. */
  readonly desired: number;
  /** Those of which all jobs run. */
  readonly running: number;
}

/** The replicas of a service; each may have several jobs. */
export function replicaCounts(jobs: Run['jobs']): ReplicaCounts {
  const replicas = Map.groupBy(
    jobs,
    ({ job_spec }) => `${job_spec.replica_group} ${job_spec.replica_num}`,
  );
  let desired = 0;
  let running = 0;
  for (const members of replicas.values()) {
    const latest = members.flatMap(({ job_submissions }) => job_submissions.slice(-1));
    if (!latest.some(({ status }) => isJobAlive(status))) continue;
    desired += 1;
    if (latest.every(({ status }) => isJobRunning(status))) running += 1;
  }
  return { desired, running };
}
