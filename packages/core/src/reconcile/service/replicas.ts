/** Groups the latest submissions of a run into replicas. */
import type { JobRecord } from '../../model/index.ts';
import {
  isJobAlive,
  isJobFinished,
  isRequeued,
  jobImportance,
  jobOutcome,
} from '../../status/index.ts';
import { isLeaving } from '../job/drains.ts';
import type { RunPass } from '../run/run-pass.ts';

export interface Replica {
  readonly num: number;
  readonly group: string;
  /** Latest submission of each node, by job number. */
  readonly jobs: readonly JobRecord[];
}

/** By replica number; `jobs` are latest submissions. */
export function replicasOf(jobs: readonly JobRecord[]): Replica[] {
  const byNum = new Map<number, JobRecord[]>();
  for (const job of jobs) {
    const known = byNum.get(job.replicaNum);
    if (known === undefined) byNum.set(job.replicaNum, [job]);
    else known.push(job);
  }
  return [...byNum.entries()]
    .map(([num, own]) => ({ num, group: own[0]?.spec.replica_group ?? '0', jobs: own }))
    .sort((a, b) => a.num - b.num);
}

/** No job of the replica is ending or has ended. */
export const isReplicaAlive = (replica: Replica): boolean =>
  replica.jobs.every((job) => isJobAlive(job.status));

export const isReplicaOver = (replica: Replica): boolean =>
  replica.jobs.every((job) => isJobFinished(job.status));

export const hasFailed = (replica: Replica): boolean =>
  replica.jobs.some((job) => jobOutcome(job) === 'failed');

export const takesRequests = (replica: Replica): boolean =>
  replica.jobs[0] !== undefined && jobImportance(replica.jobs[0]) === 3;

export const isUpToDate = (replica: Replica, deploymentNum: number): boolean =>
  replica.jobs.every((job) => job.deploymentNum === deploymentNum);

/** A replica of the service receives requests, so failures of other replicas do not end the run. */
export const isServing = ({ run, latest }: RunPass): boolean =>
  run.spec.configuration.type === 'service' && replicasOf(latest).some(takesRequests);

/**
 * Failed replicas that are retried under their numbers: as many as the group lacks, those of the
 * present deployment first, and of these those that had to leave; those on drained instances are being
 * replaced. The other failed replicas have been replaced or are no longer desired, and are ignored.
 */
export function wantedFailures(pass: RunPass): Replica[] {
  const { desiredReplicas, deploymentNum } = pass.run;
  const replicas = replicasOf(pass.latest);
  const stale = (one: Replica) => (isUpToDate(one, deploymentNum) ? 0 : 1);
  const kept = ({ jobs }: Replica) => (jobs.some(isRequeued) ? 0 : 1);
  const leaves = ({ jobs }: Replica) => jobs.some((job) => isLeaving(pass, job));
  return Object.entries(desiredReplicas).flatMap(([group, desired]) => {
    const own = replicas.filter((one) => one.group === group);
    const current = own.filter(
      (one) => isReplicaAlive(one) && isUpToDate(one, deploymentNum) && !leaves(one),
    );
    return own
      .filter((one) => hasFailed(one) && !isReplicaAlive(one))
      .sort((a, b) => stale(a) - stale(b) || kept(a) - kept(b) || a.num - b.num)
      .slice(0, Math.max(0, desired - current.length));
  });
}

/** Replicas to keep come first: present deployment, then importance, then number. */
export function byImportance(replicas: readonly Replica[], deploymentNum: number): Replica[] {
  const importance = (one: Replica) => Math.min(...one.jobs.map(jobImportance));
  const stale = (one: Replica) => (isUpToDate(one, deploymentNum) ? 0 : 1);
  return [...replicas].sort(
    (a, b) => stale(a) - stale(b) || importance(b) - importance(a) || a.num - b.num,
  );
}
