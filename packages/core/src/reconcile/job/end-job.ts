/** From the decision that a job ends to its final status. */

import { jobTarget } from '../../events/events.ts';
import { recordEvent } from '../../events/record-event.ts';
import type { JobRecord, JobTerminationReason } from '../../model/index.ts';
import {
  isInstanceActive,
  isJobRunning,
  jobEnd,
  KILL_LIMIT,
  killDeadline,
  LOG_WAIT,
  leftByNotice,
} from '../../status/index.ts';
import { silenceDeadline } from '../../time/silence.ts';
import type { RunPass } from '../run/run-pass.ts';
import { isTooLongUnreachable } from './reachability.ts';
import { releaseJob } from './release-job.ts';
import { leaveVolumes } from './run-volumes.ts';

interface End {
  readonly message?: string | null;
  readonly exitStatus?: number | null;
  /** See `JobRecord`. */
  readonly hostFault?: string | null;
  /**
   * The process is requested to end and has `stop_duration` for it; only running processes are
   * requested to.
   */
  readonly graceful?: boolean;
}

/** Makes a live job terminating. `advanceEnd` releases what it holds. */
export function endJob(
  pass: RunPass,
  job: JobRecord,
  reason: JobTerminationReason,
  end: End = {},
): JobRecord {
  return pass.moveJob(job, 'terminating', {
    terminationReason: reason,
    terminationMessage: end.message ?? null,
    exitStatus: end.exitStatus ?? job.exitStatus,
    hostFault: end.hostFault ?? null,
    stopRequestedAt: pass.now,
    stopGraceful: end.graceful === true && isJobRunning(job.status),
    registered: false,
  });
}

/** An abort replaces a graceful stop that is under way. */
export function abortJob(pass: RunPass, job: JobRecord): void {
  if (!job.stopGraceful && job.terminationReason === 'aborted_by_user') return;
  const stoppedByUser = job.terminationReason === 'terminated_by_user';
  if (!job.stopGraceful && !stoppedByUser) return;
  pass.draft.jobs.set(job, {
    terminationReason: stoppedByUser ? 'aborted_by_user' : job.terminationReason,
    stopGraceful: false,
    stopRequestedAt: job.stopGraceful ? pass.now : job.stopRequestedAt,
  });
}

/**
 * One step of a job in `terminating`: request the end, kill, wait for the process and its log, or
 * finish.
 */
export function advanceEnd(pass: RunPass, job: JobRecord): void {
  if (!mayHaveProcess(pass, job)) {
    finishJob(pass, job);
    return;
  }
  if (exitIsSettled(pass, job)) {
    finishJob(pass, job);
    return;
  }
  if (hasExited(pass, job)) return;
  if (isTooLongUnreachable(pass, job)) {
    finishJob(pass, job);
    return;
  }
  driveStop(pass, job);
}

/**
 * Whether a host may have anything of the job. An announced start counts, because a worker may be
 * carrying it out. A cancelled or failed start no longer counts once its stop has been carried out.
 */
function mayHaveProcess(pass: RunPass, job: JobRecord): boolean {
  const instance = pass.instanceOf(job);
  if (instance === null || !isInstanceActive(instance.status)) return false;
  if (isLost(job)) return false;
  if (pass.reportOf(job) !== null) return true;
  const starts = pass.draft.intents('job.start', job.id);
  if (starts.some((one) => one.state !== 'failed')) return true;
  return pass.draft.lastIntent('job.stop', job.id)?.state === 'announced';
}

/** The host itself is lost, so no agent can report the end of the process. */
function isLost(job: JobRecord): boolean {
  const { terminationReason: reason } = job;
  if (leftByNotice(job)) return false;
  return reason === 'instance_unreachable' || reason === 'interrupted_by_no_capacity';
}

function hasExited(pass: RunPass, job: JobRecord): boolean {
  return pass.reportOf(job)?.state.phase === 'exited';
}

/**
 * The process has ended, and its log is stored completely or has been incomplete for too long (the
 * agent keeps the rest, which is stored later).
 */
export function exitIsSettled(pass: RunPass, job: JobRecord): boolean {
  const report = pass.reportOf(job);
  if (report?.state.phase !== 'exited') return false;
  if (pass.storedLog(job) >= report.state.log_end) return true;
  const until = silenceDeadline(pass.ctx, report.receivedAt, LOG_WAIT);
  if (pass.now >= until) return true;
  pass.draft.dueAt(until);
  return false;
}

function driveStop(pass: RunPass, job: JobRecord): void {
  const { draft } = pass;
  const askedAt = job.stopRequestedAt;
  if (askedAt === null) {
    draft.jobs.set(job, { stopRequestedAt: pass.now, stopGraceful: false });
    return;
  }
  orderStop(pass, job);
  if (!job.stopGraceful) {
    const until = silenceDeadline(pass.ctx, askedAt, KILL_LIMIT);
    if (pass.now >= until) finishJob(pass, job);
    else draft.dueAt(until);
    return;
  }
  const killAt = killDeadline(pass.ctx, job);
  if (killAt === null) return;
  if (pass.now >= killAt) draft.jobs.set(job, { stopGraceful: false, stopRequestedAt: pass.now });
  else draft.dueAt(killAt);
}

/** Announces the stop, and the kill that replaces it, once each. */
function orderStop(pass: RunPass, job: JobRecord): void {
  const { draft } = pass;
  const last = draft.lastIntent('job.stop', job.id);
  const ordered = last?.payload.kind === 'job.stop' ? last.payload : null;
  if (ordered !== null && (!ordered.grace || job.stopGraceful)) return;
  if (ordered === null) {
    for (const start of draft.intents('job.start', job.id)) draft.cancel(start);
    for (const release of draft.intents('job.release', job.id)) draft.cancel(release);
    if (job.stopGraceful) {
      draft.event(
        recordEvent({ action: 'job.graceful_stop_requested', targets: [jobTarget(job)] }),
      );
    }
  }
  draft.announce(job.id, {
    kind: 'job.stop',
    grace: job.stopGraceful,
    reason: job.terminationReason ?? 'terminated_by_server',
    message: job.terminationMessage,
  });
}

function finishJob(pass: RunPass, job: JobRecord): void {
  if (!leaveVolumes(pass, job)) return;
  const released = releaseJob(pass, job);
  const reason = job.terminationReason ?? 'terminated_by_server';
  pass.moveJob(released, jobEnd(reason).finalStatus, {
    terminationReason: reason,
    disconnectedAt: null,
    registered: false,
  });
}
