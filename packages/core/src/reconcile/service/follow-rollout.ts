/** The limits of a rollout in progress, and its end: done, held, or rolled back by its deadline. */
import { formatDuration } from '@dstack/contract';
import type { ServiceConfiguration } from '@dstack/contract/wire';
import { runTarget } from '../../events/events.ts';
import { recordEvent } from '../../events/record-event.ts';
import type { JobRecord, RolloutRecord, Timestamp } from '../../model/index.ts';
import {
  isJobFinished,
  isJobSubmitted,
  isRolloutOver,
  isRolloutWaiting,
  jobOutcome,
} from '../../status/index.ts';
import { silence, silenceDeadline } from '../../time/silence.ts';
import type { RunPass } from '../run/run-pass.ts';
import { isReplicaAlive, isUpToDate, type Replica, replicasOf } from './replicas.ts';
import { rollback } from './rollout-state.ts';

export interface RolloutLimits {
  /** Replicas beyond the desired number. */
  readonly surge: number;
  /** Replicas that may be missing. */
  readonly maxUnavailable: number;
  /** Replicas of the new deployment. */
  readonly most: number;
  /** Replicas of earlier deployments that stay. */
  readonly kept: number;
}

/** Seconds. */
const DEFAULT_DEADLINE = 600;

type Settings = NonNullable<ServiceConfiguration['rollout']>;

function settingsOf({ run }: RunPass): Partial<Settings> {
  const { configuration } = run.spec;
  return (configuration.type === 'service' && configuration.rollout) || {};
}

/** The rollout of the present deployment while it is not over; null = none. */
function rolloutOf({ run }: RunPass): RolloutRecord | null {
  const { rollout, deploymentNum } = run;
  const isPresent = rollout?.deploymentNum === deploymentNum && !isRolloutOver(rollout.status);
  return isPresent ? rollout : null;
}

export const isRolloutPaused = (pass: RunPass): boolean => rolloutOf(pass)?.status === 'paused';

export function rolloutLimits(pass: RunPass, desired: number): RolloutLimits {
  const { surge = 1, max_unavailable: maxUnavailable = 0 } = settingsOf(pass);
  const canaries = canariesOf(pass, desired);
  if (canaries === null) return { surge, maxUnavailable, most: desired, kept: 0 };
  const kept = Math.max(1, desired - canaries);
  // Without a surge there would be no place for the only canary beside the only old replica.
  return { surge: Math.max(surge, 1), maxUnavailable: 0, most: canaries, kept };
}

/** Null: there are none, or they have been accepted. */
function canariesOf(pass: RunPass, desired: number): number | null {
  const rollout = rolloutOf(pass);
  const { canary = null } = settingsOf(pass);
  if (rollout === null || rollout.promoted || canary === null) return null;
  return Math.min(canary, desired);
}

/** `isProven`: whether a replica takes requests and does not crash at once. */
export function followRollout(pass: RunPass, isProven: (replica: Replica) => boolean): void {
  const rollout = rolloutOf(pass);
  if (rollout === null) return;
  const wanted = pass.run.desiredReplicas;
  const alive = replicasOf(pass.latest).filter(
    (replica) => isReplicaAlive(replica) && Object.hasOwn(wanted, replica.group),
  );
  const current = alive.filter((replica) => isUpToDate(replica, rollout.deploymentNum));
  const proven = current.filter(isProven);
  const progressAt = proven.length > rollout.ready ? pass.now : rollout.progressAt;
  const next = { ...rollout, ready: proven.length, progressAt };
  const enough = (group: string, count: number) =>
    proven.filter((replica) => replica.group === group).length >= count;
  const isDone =
    current.length === alive.length &&
    Object.entries(wanted).every(([group, count]) => enough(group, count));
  if (isDone) {
    save(pass, { ...next, status: 'done', promoted: true });
    return;
  }
  if (isRolloutWaiting(rollout.status)) {
    save(pass, next);
    return;
  }
  const areCanariesReady = Object.entries(wanted).every(([group, count]) =>
    enough(group, canariesOf(pass, count) ?? count),
  );
  if (areCanariesReady && canariesOf(pass, 1) !== null) {
    const { hold = false } = settingsOf(pass);
    save(pass, hold ? { ...next, status: 'holding' } : { ...next, promoted: true });
    if (hold)
      pass.draft.event(recordEvent({ action: 'run.rollout_held', targets: [runTarget(pass.run)] }));
    return;
  }
  save(pass, next);
  observeDeadline(pass, next, proven);
}

function save(pass: RunPass, rollout: RolloutRecord): void {
  if (JSON.stringify(rollout) !== JSON.stringify(pass.run.rollout)) pass.setRun({ rollout });
}

function observeDeadline(pass: RunPass, rollout: RolloutRecord, proven: readonly Replica[]): void {
  const { deadline } = settingsOf(pass);
  if (deadline === 'off' || rollout.previous === null) return;
  const since = stalledSince(pass, rollout, proven);
  if (since === null) return;
  const seconds = deadline ?? DEFAULT_DEADLINE;
  const until = silenceDeadline(pass.ctx, since, silence(seconds));
  if (pass.now < until) {
    pass.draft.dueAt(until);
    return;
  }
  const message = `no further replica was ready within ${formatDuration(seconds)}`;
  const back = rollback(pass.run, message, null);
  if (back === null) return;
  pass.setRun(back.set);
  pass.draft.event(back.event);
}

/** Free capacity would not help: the configuration has to change, or a fleet. */
function isHopeless(refusal: JobRecord['refusal']): boolean {
  if (refusal === null || refusal.kind === 'volume') return false;
  return refusal.kind !== 'no-place' || refusal.fleets.every(({ verdict }) => verdict === 'never');
}

/**
 * Since when a replica of the deployment runs, has failed, or has no place anywhere, without being ready.
 * Time before that does not count: it waits for a machine or its image.
 */
function stalledSince(
  pass: RunPass,
  { deploymentNum, progressAt }: RolloutRecord,
  proven: readonly Replica[],
): Timestamp | null {
  const ready = new Set(proven.map(({ num }) => num));
  const begun = pass.draft.jobs.all().flatMap((job) => {
    if (job.deploymentNum !== deploymentNum || ready.has(job.replicaNum)) return [];
    if (job.runningAt !== null) return [job.runningAt];
    if (isJobSubmitted(job.status) && isHopeless(job.refusal)) {
      return [job.waitingSince ?? job.submittedAt];
    }
    const hasFailed = isJobFinished(job.status) && jobOutcome(job) === 'failed';
    return hasFailed && job.finishedAt !== null ? [job.finishedAt] : [];
  });
  if (begun.length === 0) return null;
  return Math.max(Math.min(...begun), progressAt ?? 0);
}
