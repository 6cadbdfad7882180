/** The addresses by which the jobs of a run reach each other. */
import type { JobRecord, RunRecord } from '../../model/index.ts';
import type { GroupMember } from '../../run-spec/group-references.ts';
import { isJobAlive } from '../../status/index.ts';

/** Null = not known yet. */
export function nodeAddress(job: JobRecord): string | null {
  const data = job.provisioningData;
  return data?.internal_ip || data?.hostname || null;
}

/**
 * The job that a reference in a command of `job` means: a node of its own replica, or the replica
 * of a service at this position among the live ones of its group. `latest`: newest submissions.
 */
export function groupMemberJob(
  run: Pick<RunRecord, 'spec'>,
  job: JobRecord,
  latest: readonly JobRecord[],
  { group, index }: GroupMember,
): JobRecord | null {
  const { configuration } = run.spec;
  if (configuration.type === 'service') {
    const name = configuration.groups?.[group]?.name ?? '0';
    const replicas = latest
      .filter((one) => one.spec.replica_group === name && one.jobNum === 0)
      .filter((one) => isJobAlive(one.status))
      .sort((a, b) => a.replicaNum - b.replicaNum);
    return replicas[index] ?? null;
  }
  const isMeant = ({ replicaNum, spec }: JobRecord): boolean =>
    replicaNum === job.replicaNum &&
    (spec.node_group_index ?? 0) === group &&
    (spec.node_group_job_index ?? 0) === index;
  return latest.find(isMeant) ?? null;
}
