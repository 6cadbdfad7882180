/** Scaling and rollouts of services. */
import type { JobSpec } from '@dstack/contract/wire';
import { sameJson } from '../../compare/same.ts';
import { SECOND } from '../../model/values.ts';
import { isJobAlive, isJobFinished, jobOutcome } from '../../status/index.ts';
import { isLeaving } from '../job/drains.ts';
import { endJob } from '../job/end-job.ts';
import type { RunPass } from '../run/run-pass.ts';
import { submitReplica } from '../run/submit-jobs.ts';
import { followRollout, isRolloutPaused, rolloutLimits } from './follow-rollout.ts';
import {
  byImportance,
  isReplicaAlive,
  isReplicaOver,
  isUpToDate,
  type Replica,
  replicasOf,
  takesRequests,
  wantedFailures,
} from './replicas.ts';

/**
 * How long (µs) a replica without probes must run before it replaces one of the last deployment.
 * Most faults (a mistyped command, a missing file) end the process within that time.
 */
const PROVEN_AFTER = 10 * SECOND;

/** Follows updates of the spec and of the desired number of replicas. */
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
  followRollout(pass, (replica) => takesRequests(replica) && isProven(pass, replica));
}

const isCurrent = (pass: RunPass, replica: Replica): boolean =>
  isUpToDate(replica, pass.run.deploymentNum);

/** In-place updates of tasks and dev environments change no job, so all jobs join the new deployment. */
function followDeployment(pass: RunPass): void {
  const { deploymentNum } = pass.run;
  for (const job of pass.latest) {
    if (!isJobFinished(job.status)) pass.draft.jobs.set(job, { deploymentNum });
  }
}

/**
 * Without a live job, the outcomes of the jobs determine the next step of the run
 * (`derive-run.ts`). Only a service whose replicas were all scaled down grows again here.
 */
function maySubmit(pass: RunPass): boolean {
  const outcomes = pass.latest.map(jobOutcome);
  return (
    pass.latest.some((job) => isJobAlive(job.status)) ||
    outcomes.every((one) => one === 'scaled_down')
  );
}

/** Replicas join the new deployment without a restart if at most their probes have changed. */
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
    for (const [i, job] of replica.jobs.entries()) {
      const probes = specs[i]?.probes ?? [];
      const isSame =
        sameJson(probes, job.spec.probes ?? []) && sameJson(specs[i]?.liveness, job.spec.liveness);
      const liveness = specs[i]?.liveness;
      const spec = isSame ? job.spec : { ...job.spec, probes, liveness };
      pass.draft.jobs.set(job, { deploymentNum, spec });
    }
  }
}

/** Failed replicas that will be retried count as present. */
function failedIn(pass: RunPass, group: string): Replica[] {
  return wantedFailures(pass).filter((replica) => replica.group === group);
}

function scale(pass: RunPass, group: string, own: readonly Replica[], desired: number): void {
  const alive = byImportance(own.filter(isReplicaAlive), pass.run.deploymentNum);
  const leaving = alive.filter(({ jobs }) => jobs.some((job) => isLeaving(pass, job)));
  if (leaving.length > 0) {
    replaceLeaving(pass, group, { own, alive, leaving }, desired);
    return;
  }
  submitNew(pass, group, own, desired - alive.length - failedIn(pass, group).length);
  for (const replica of alive.slice(desired)) scaleDown(pass, replica);
}

interface Leaving {
  readonly own: readonly Replica[];
  readonly alive: readonly Replica[];
  /** Those of `alive` on instances that are drained. */
  readonly leaving: readonly Replica[];
}

/**
 * Replicas on drained instances stay until others serve in their place; without another place they go on
 * until their notice.
 */
function replaceLeaving(
  pass: RunPass,
  group: string,
  { own, alive, leaving }: Leaving,
  desired: number,
): void {
  const staying = alive.filter((one) => !leaving.includes(one));
  submitNew(pass, group, own, desired - staying.length - failedIn(pass, group).length);
  const serves = (one: Replica) => takesRequests(one) && isProven(pass, one);
  const spare = Math.max(0, alive.filter(serves).length - desired);
  const isIdle = (one: Replica) => !takesRequests(one);
  const busy = leaving.filter((one) => !isIdle(one));
  const replaced = spare > 0 ? busy.slice(-spare) : [];
  for (const one of [...leaving.filter(isIdle), ...replaced, ...staying.slice(desired)]) {
    scaleDown(pass, one);
  }
}

/**
 * A draining replica already has its replacement and does not count against the surge: a long-lived
 * stream must not delay the rollout.
 */
function rollOut(pass: RunPass, group: string, own: readonly Replica[], desired: number): void {
  if (isRolloutPaused(pass)) return;
  const { deploymentNum } = pass.run;
  const { surge, maxUnavailable, most, kept } = rolloutLimits(pass, desired);
  const alive = byImportance(own.filter(isReplicaAlive), deploymentNum);
  const failed = failedIn(pass, group).length;
  const current = alive.filter((one) => isUpToDate(one, deploymentNum)).length + failed;
  submitNew(pass, group, own, Math.min(desired + surge - alive.length - failed, most - current));
  const serving = alive.filter((one) => takesRequests(one) && isProven(pass, one));
  const stale = serving.filter((one) => !isUpToDate(one, deploymentNum));
  const surplus = serving.length - Math.max(0, desired - maxUnavailable);
  const count = Math.min(surplus, stale.length - kept);
  const stop = [
    ...alive.filter((one) => !isUpToDate(one, deploymentNum) && !takesRequests(one)),
    ...(count > 0 ? stale.slice(-count) : []),
  ];
  for (const replica of stop) scaleDown(pass, replica);
}

/** A replica of the last deployment stays until its replacement has proved not to crash. */
function isProven(pass: RunPass, replica: Replica): boolean {
  const [job] = replica.jobs;
  if (!job || job.runningAt === null || !isCurrent(pass, replica)) return true;
  const until = job.runningAt + PROVEN_AFTER;
  if ((job.spec.probes ?? []).length > 0 || pass.now >= until) return true;
  pass.draft.dueAt(until);
  return false;
}

/** Reuses free replica numbers of the group before new ones. */
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

/**
 * Ignores the order of keys, unset values, an architecture that the update no longer restricts, and
 * probes, which change without a restart.
 */
export function sameSpec(old: JobSpec, fresh: JobSpec): boolean {
  return canonical(old, fresh) === canonical(fresh, fresh);
}

/** Only the server uses them. */
const CHANGED_IN_PLACE: ReadonlySet<string> = new Set(['probes', 'liveness']);

function canonical(spec: JobSpec, fresh: JobSpec): string {
  const widened = fresh.requirements?.resources?.cpu?.arch ?? null;
  const drop = (key: string) => (key === 'arch' && widened === null) || CHANGED_IN_PLACE.has(key);
  return JSON.stringify(spec, (key, value) => {
    if (value === null || drop(key)) return undefined;
    if (typeof value !== 'object' || Array.isArray(value)) return value;
    return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}
