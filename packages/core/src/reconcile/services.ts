/** How many replicas a service has, and of which deployment. */
import type { JobSpec } from '@dstack/contract/wire';
import { isJobAlive, isJobFinished, jobOutcome } from '../status/index.ts';
import { endJob } from './end-job.ts';
import {
  byWorth,
  isReplicaAlive,
  isReplicaOver,
  isUpToDate,
  type Replica,
  replicasOf,
  takesRequests,
  wantedFailures,
} from './replicas.ts';
import type { RunPass } from './run-pass.ts';
import { submitReplica } from './submit-jobs.ts';

/** A rollout has this many replicas more than wanted for a while. */
const SURGE = 1;

/** Follows updates of the spec and of the number of replicas wanted. */
export function scaleService(pass: RunPass): void {
  if (pass.run.spec.configuration.type !== 'service') {
    followDeployment(pass);
    return;
  }
  adoptUnchanged(pass);
  const wanted = pass.run.desiredReplicas;
  for (const replica of replicasOf(pass.latest)) {
    if (!Object.hasOwn(wanted, replica.group)) scaleDown(pass, replica);
  }
  if (!maySubmit(pass)) return;
  for (const [group, desired] of Object.entries(wanted)) {
    const own = replicasOf(pass.latest).filter((replica) => replica.group === group);
    const stale = own.some((one) => isReplicaAlive(one) && !isCurrent(pass, one));
    if (stale) rollOut(pass, group, own, desired);
    else scale(pass, group, own, desired);
  }
}

const isCurrent = (pass: RunPass, replica: Replica): boolean =>
  isUpToDate(replica, pass.run.deploymentNum);

/** What may change in a task or dev environment in place touches no job: all are of the new deployment. */
function followDeployment(pass: RunPass): void {
  const { deploymentNum } = pass.run;
  for (const job of pass.latest) {
    if (!isJobFinished(job.status)) pass.draft.jobs.set(job, { deploymentNum });
  }
}

/**
 * When nothing is left alive, failures and ends decide about the run, not the number of replicas:
 * only a service of which everything was scaled down grows again here.
 */
function maySubmit(pass: RunPass): boolean {
  const outcomes = pass.latest.map(jobOutcome);
  return (
    pass.latest.some((job) => isJobAlive(job.status)) || outcomes.every((one) => one === 'gone')
  );
}

/** Replicas that the update does not concern belong to the new deployment as they are. */
function adoptUnchanged(pass: RunPass): void {
  const { deploymentNum } = pass.run;
  for (const replica of replicasOf(pass.latest)) {
    if (!isReplicaAlive(replica) || isUpToDate(replica, deploymentNum)) continue;
    if (!Object.hasOwn(pass.run.desiredReplicas, replica.group)) continue;
    const specs = pass.ctx.buildJobs(pass.run, replica.num, replica.group);
    const unchanged =
      specs.length === replica.jobs.length &&
      replica.jobs.every((job, i) => job.spec && specs[i] && sameSpec(job.spec, specs[i]));
    if (!unchanged) continue;
    for (const job of replica.jobs) pass.draft.jobs.set(job, { deploymentNum });
  }
}

/** A failed replica is on its way to be tried again and keeps its place. */
function failedIn(pass: RunPass, group: string): Replica[] {
  return wantedFailures(pass).filter((replica) => replica.group === group);
}

function scale(pass: RunPass, group: string, own: readonly Replica[], desired: number): void {
  const alive = byWorth(own.filter(isReplicaAlive), pass.run.deploymentNum);
  submitNew(pass, group, own, desired - alive.length - failedIn(pass, group).length);
  for (const replica of alive.slice(desired)) scaleDown(pass, replica);
}

/**
 * One that is being drained has its replacement already, and no surge waits for it: a stream that
 * goes on for long must not hold up the rollout.
 */
function rollOut(pass: RunPass, group: string, own: readonly Replica[], desired: number): void {
  const { deploymentNum } = pass.run;
  const alive = byWorth(own.filter(isReplicaAlive), deploymentNum);
  const failed = failedIn(pass, group).length;
  const current = alive.filter((one) => isUpToDate(one, deploymentNum)).length + failed;
  submitNew(pass, group, own, Math.min(desired + SURGE - alive.length - failed, desired - current));
  const serving = alive.filter(takesRequests);
  const surplus = Math.max(0, serving.length - desired);
  const stop = [
    ...alive.filter((one) => !isUpToDate(one, deploymentNum) && !takesRequests(one)),
    ...(surplus === 0 ? [] : serving.slice(-surplus)),
  ];
  for (const replica of stop) scaleDown(pass, replica);
}

/** Numbers of the group that are free come first, then new ones. */
function submitNew(pass: RunPass, group: string, own: readonly Replica[], count: number): void {
  const kept = new Set(failedIn(pass, group).map((one) => one.num));
  const free = own.filter((one) => isReplicaOver(one) && !kept.has(one.num)).map((one) => one.num);
  let fresh = Math.max(-1, ...pass.latest.map((job) => job.replicaNum)) + 1;
  for (let i = 0; i < count; i++) {
    submitReplica(pass, { num: free[i] ?? fresh++, group, occasion: 'retry', after: null });
  }
}

function scaleDown(pass: RunPass, replica: Replica): void {
  for (const job of replica.jobs) {
    if (isJobAlive(job.status)) endJob(pass, job, 'scaled_down', { graceful: true });
  }
}

/** Equal but for the order of keys, unset values, and an architecture that was only widened. */
export function sameSpec(old: JobSpec, fresh: JobSpec): boolean {
  return canonical(old, fresh) === canonical(fresh, fresh);
}

function canonical(spec: JobSpec, fresh: JobSpec): string {
  const widened = fresh.requirements?.resources?.cpu?.arch ?? null;
  const drop = (key: string) => key === 'arch' && widened === null;
  return JSON.stringify(spec, (key, value) => {
    if (value === null || drop(key)) return undefined;
    if (typeof value !== 'object' || Array.isArray(value)) return value;
    return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}
