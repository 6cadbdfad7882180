/** A job whose host is unreachable continues; after a deadline it ends. */

import { jobTarget } from '../../events/events.ts';
import { recordEvent } from '../../events/record-event.ts';
import type { JobRecord, JobTerminationReason, Timestamp } from '../../model/index.ts';
import { DISCONNECT_GRACE, isPatientBackend } from '../../status/index.ts';
import { type SilenceLimit, silence, silenceDeadline } from '../../time/silence.ts';
import type { RunPass } from '../run/run-pass.ts';

const CLOUD_TOLERANCE = silence(120);
const PATIENT_TOLERANCE = silence(3600);
/** A host that has reported nothing of a job loses it sooner: the job has done nothing that could be lost. */
const START_TOLERANCE = silence(60);

/** Since when the job's host cannot be reached; null = it is connected. */
function disconnectedSince(pass: RunPass, job: JobRecord): Timestamp | null {
  const host = pass.hostOf(job);
  if (host === null) return job.statusChangedAt;
  return host.connected ? null : host.since;
}

/** Records when the host becomes unreachable or reachable. Returns whether something changed. */
export function trackReachability(pass: RunPass, job: JobRecord): boolean {
  const since = disconnectedSince(pass, job);
  if (since === null) {
    if (job.disconnectedAt === null) return false;
    pass.draft.jobs.set(job, { disconnectedAt: null });
    pass.draft.event(recordEvent({ action: 'job.reachable', targets: [jobTarget(job)] }));
    return true;
  }
  if (job.disconnectedAt !== null) {
    // A server that could not reach any host began to count again.
    if (since <= job.disconnectedAt) return false;
    pass.draft.jobs.set(job, { disconnectedAt: since });
    return true;
  }
  const until = silenceDeadline(pass.ctx, since, DISCONNECT_GRACE);
  if (pass.now < until) {
    pass.draft.dueAt(until);
    return false;
  }
  pass.draft.jobs.set(job, { disconnectedAt: since });
  pass.draft.event(recordEvent({ action: 'job.unreachable', targets: [jobTarget(job)] }));
  return true;
}

/** Whether the host has been unreachable beyond the deadline. Schedules a pass at the deadline. */
export function isTooLongUnreachable(pass: RunPass, job: JobRecord): boolean {
  const until = unreachableUntil(pass, job);
  if (until === null) return false;
  if (pass.now >= until) return true;
  pass.draft.dueAt(until);
  return false;
}

/**
 * When a job on an unreachable host is given up; null = reachable, or disconnected only for
 * moments.
 */
export function unreachableUntil(pass: RunPass, job: JobRecord): Timestamp | null {
  const since = pass.hostOf(job)?.connected ? null : job.disconnectedAt;
  return since === null ? null : silenceDeadline(pass.ctx, since, tolerance(pass, job));
}

/** The same for a job that its host has not reported since it was placed there. */
export function isLostBeforeStart(pass: RunPass, job: JobRecord): boolean {
  const host = pass.hostOf(job);
  if (host === null || host.connected) return false;
  const since = Math.max(host.since, job.provisionedAt ?? job.statusChangedAt);
  const until = silenceDeadline(pass.ctx, since, START_TOLERANCE);
  if (pass.now >= until) return true;
  pass.draft.dueAt(until);
  return false;
}

function tolerance(pass: RunPass, job: JobRecord): SilenceLimit {
  const configured = pass.ctx.settings.unreachableTolerance;
  if (configured !== null) return silence(configured);
  const backend = pass.instanceOf(job)?.backend ?? null;
  return isPatientBackend(backend) ? PATIENT_TOLERANCE : CLOUD_TOLERANCE;
}

/** An unreachable spot machine counts as reclaimed; `retry` treats that as an interruption. */
export function lostReason(job: JobRecord): JobTerminationReason {
  return job.provisioningData?.instance_type.resources.spot
    ? 'interrupted_by_no_capacity'
    : 'instance_unreachable';
}
