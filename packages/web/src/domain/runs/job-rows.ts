import { isJobRunning } from '@dstack/contract/status';
import type { Job } from '@dstack/contract/wire';
import type { StatusLook } from '../../ui/status/status-badge.tsx';

/** Jobs by replica group, deployment, replica and node. */
export function sortedJobs(jobs: readonly Job[]): readonly Job[] {
  return jobs.toSorted(
    (a, b) =>
      COLLATOR.compare(a.job_spec.replica_group, b.job_spec.replica_group) ||
      deploymentOf(a) - deploymentOf(b) ||
      a.job_spec.replica_num - b.job_spec.replica_num ||
      a.job_spec.job_num - b.job_spec.job_num,
  );
}

const COLLATOR = new Intl.Collator('en', { numeric: true });

const deploymentOf = ({ job_submissions }: Job): number =>
  job_submissions.at(-1)?.deployment_num ?? 0;

/** The name of the group of a job by what the jobs differ in; null: all belong together. */
export function jobGroups(jobs: readonly Job[]): ((job: Job) => string) | null {
  const hasGroups = new Set(jobs.map(({ job_spec }) => job_spec.replica_group)).size > 1;
  const hasDeployments = new Set(jobs.map(deploymentOf)).size > 1;
  if (!hasGroups && !hasDeployments) return null;
  return (job) => {
    const group = `Group ${job.job_spec.replica_group}`;
    const deployment = deploymentOf(job);
    if (!hasGroups) return `Deployment ${deployment}`;
    return hasDeployments ? `${group}, deployment ${deployment}` : group;
  };
}

/** `2`, or `2, node 0` where replicas have several nodes. */
export function placeInRun({ job_spec }: Job): string {
  const { replica_num, jobs_per_replica, job_num, node_group_name, node_group_job_index } =
    job_spec;
  if (jobs_per_replica <= 1) return String(replica_num);
  const node =
    node_group_name === undefined || node_group_name === '0'
      ? `node ${job_num}`
      : `${node_group_name} ${node_group_job_index}`;
  return `${replica_num}, ${node}`;
}

/** How many probes of a running job are ready; null: it has none, or does not run. */
export function probesLook({ job_spec, job_submissions }: Job): StatusLook | null {
  const latest = job_submissions.at(-1);
  const count = job_spec.probes.length;
  if (latest === undefined || count === 0 || !isJobRunning(latest.status)) return null;
  const streaks = job_spec.probes.map((_, index) => latest.probes[index]?.success_streak ?? 0);
  const ready = job_spec.probes.filter(
    ({ ready_after }, index) => (streaks[index] ?? 0) >= ready_after,
  ).length;
  const text = `${ready} of ${count}`;
  if (ready === count) return { tone: 'done', icon: 'ok', text };
  const begun = streaks.some((streak) => streak > 0);
  return { tone: 'starting', icon: begun ? 'progress' : 'waiting', text };
}
