/** A run that waits: for its release, other runs, its schedule, a retry, or demand. */
import type { RunRecord } from '../../model/index.ts';
import { mergedProfile } from '../../profile/merge.ts';
import { isReplicaOver, replicasOf, wantedFailures } from '../service/replicas.ts';
import { awaitsOthers } from './dependencies.ts';
import { retryWhenDue } from './derive-run.ts';
import { verdictAlone } from './retry.ts';
import type { RunPass } from './run-pass.ts';
import { submitReplica } from './submit-jobs.ts';

export function advancePending(pass: RunPass): void {
  if (pass.run.hold !== null || awaitsOthers(pass)) return;
  if (pass.run.resubmissionAttempt > 0) advanceRetry(pass);
  else if (cronOf(pass.run) !== null) advanceSchedule(pass);
  else if (wanted(pass.run) > 0) submitAll(pass);
}

/** Expressions of the run's schedule; null = it has none. */
export function cronOf(run: RunRecord): readonly string[] | null {
  const cron = mergedProfile(run.spec).schedule?.cron ?? null;
  if (cron === null) return null;
  return typeof cron === 'string' ? [cron] : cron;
}

function advanceSchedule(pass: RunPass): void {
  const at = pass.run.nextTriggeredAt;
  const next = pass.ctx.nextFire(cronOf(pass.run) ?? [], pass.now);
  // A later one than the next was stored by a server whose clock was ahead.
  if (at === null || (next !== null && at > next)) {
    if (next !== null) pass.setRun({ nextTriggeredAt: next });
    return;
  }
  // If the server was down at scheduled times, the run starts once now.
  if (pass.now >= at) submitAll(pass);
  else pass.draft.dueAt(at);
}

/** Submits failed replicas under their own numbers; the run becomes active with the first. */
function advanceRetry(pass: RunPass): void {
  if (!replicasOf(pass.latest).every(isReplicaOver)) return;
  const failed = wantedFailures(pass);
  if (failed.length === 0) {
    pass.setRun({ resubmissionAttempt: 0 });
    return;
  }
  const verdicts = failed.map((replica) => verdictAlone(pass, replica));
  if (verdicts.some((one) => one?.kind === 'never')) {
    pass.endRun('job_failed');
    return;
  }
  if (verdicts.some((one) => one?.kind === 'spent')) {
    pass.endRun('retry_limit_exceeded');
    return;
  }
  if (retryWhenDue(pass, failed)) {
    pass.moveRun('submitted');
    return;
  }
  // `retry.duration` may end before the next attempt: look again one microsecond later.
  for (const one of verdicts) {
    if (one?.kind === 'retry' && one.until !== Infinity) pass.draft.dueAt(one.until + 1);
  }
}

function wanted(run: RunRecord): number {
  return Object.values(run.desiredReplicas).reduce((sum, n) => sum + n, 0);
}

/** Submits the desired replicas of every group, reusing known numbers first. */
function submitAll(pass: RunPass): void {
  const replicas = replicasOf(pass.latest);
  if (!replicas.every(isReplicaOver) || wanted(pass.run) === 0) return;
  let fresh = Math.max(-1, ...replicas.map((replica) => replica.num)) + 1;
  pass.moveRun('submitted');
  for (const [group, count] of Object.entries(pass.run.desiredReplicas)) {
    const known = replicas.filter((one) => one.group === group).map((one) => one.num);
    for (let i = 0; i < count; i++) {
      const num = known[i] ?? fresh++;
      submitReplica(pass, { num, group, occasion: 'new submission', after: null });
    }
  }
}
