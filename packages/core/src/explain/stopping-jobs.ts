/** Diagnoses jobs that are being stopped: the current stage and the next one. */
import type { JobRecord } from '../model/index.ts';
import { detachDeadline, heldVolumes } from '../reconcile/job/run-volumes.ts';
import type { RunPass } from '../reconcile/run/run-pass.ts';
import { KILL_LIMIT, killDeadline } from '../status/index.ts';
import { silenceDeadline } from '../time/silence.ts';
import { type Reason, reason } from './diagnosis.ts';
import { endText } from './endings.ts';
import type { JobDiagnosis } from './job-diagnosis.ts';
import { logReason, unreachablePart, unreachableReason } from './live-jobs.ts';
import { durationText } from './texts.ts';

export function stoppingPart(pass: RunPass, job: JobRecord): JobDiagnosis {
  const logs = logReason(pass, job);
  if (logs) return { job, state: 'stopping', text: logs.text, reasons: [logs] };
  const unreachable = unreachableReason(pass, job);
  if (unreachable) return unreachablePart(job, unreachable);
  const held = detachingReason(pass, job);
  if (held) return { job, state: 'stopping', text: held.text, reasons: [held] };
  const found = isDraining(pass, job) ? drainingReason(pass, job) : stageReason(pass, job);
  return { job, state: 'stopping', text: found.text, reasons: [found] };
}

/** Its process has ended, and its volumes are being detached. */
function detachingReason(pass: RunPass, job: JobRecord): Reason | null {
  const [held] = heldVolumes(pass, job);
  if (!held || held.releasedAt === null) return null;
  const error = held.attachment?.error;
  const why = error ? ` (${error})` : '';
  const text = `has ended, and waits until volume ${held.name} is detached${why}`;
  const until = detachDeadline(pass, job, held.releasedAt);
  return reason('detaching', text, { since: held.releasedAt, until, has: held.name });
}

/** Scaled down, but not stopped yet: requests in flight are completed first. */
function isDraining(pass: RunPass, job: JobRecord): boolean {
  const stop = pass.draft.lastIntent('job.stop', job.id);
  const { phase, stop_stage: stage } = pass.reportOf(job)?.state ?? {};
  const isUntold = stop?.state === 'announced' && stage == null;
  return job.terminationReason === 'scaled_down' && phase === 'running' && isUntold;
}

function drainingReason(pass: RunPass, job: JobRecord): Reason {
  const text = 'is scaled down, and answers the requests that it has first';
  return reason('draining', text, stopTimes(pass, job));
}

function stageReason(pass: RunPass, job: JobRecord): Reason {
  const stage = pass.reportOf(job)?.state.stop_stage ?? null;
  const times = stopTimes(pass, job);
  const left = times.until === null ? null : durationText(times.until - pass.now);
  const next = nextText(job, left);
  const why = endText(job);
  const text = `is being ended (${why}): ${STAGES[stage ?? 'none']}${next}`;
  return reason('stopping', text, { ...times, has: stage });
}

const STAGES = {
  none: 'its host is asked to stop it',
  interrupt: 'its process was sent Ctrl-C',
  terminate: 'its process was sent SIGTERM',
  kill: 'its process was sent SIGKILL',
} as const;

function nextText(job: JobRecord, left: string | null): string {
  if (!job.stopGraceful) return '';
  if (left === null) return '; it is never killed (`stop_duration: off`)';
  return `; it is killed within ${left}`;
}

function stopTimes(pass: RunPass, job: JobRecord) {
  const since = job.stopRequestedAt ?? job.statusChangedAt;
  const killAt = killDeadline(pass.ctx, job);
  if (killAt === null) return { since, until: null };
  if (job.stopGraceful) return { since, until: killAt };
  return { since, until: Math.max(silenceDeadline(pass.ctx, killAt, KILL_LIMIT), pass.now) };
}
