/** Diagnoses one job of a run. */
import type { JobRecord, Timestamp } from '../model/index.ts';
import { waitLimit } from '../reconcile/job/wait-for-place.ts';
import { nextAttempt, retryTime } from '../reconcile/run/retry.ts';
import type { RunPass } from '../reconcile/run/run-pass.ts';
import type { Replica } from '../reconcile/service/replicas.ts';
import {
  CREATE_LIMIT,
  isCapacityReason,
  isJobFinished,
  isJobRunning,
  isJobSubmitted,
  isJobTerminating,
} from '../status/index.ts';
import { instantText } from '../time/instant-text.ts';
import { silenceDeadline } from '../time/silence.ts';
import { type Part, reason } from './diagnosis.ts';
import { endText, ranText } from './endings.ts';
import type { JobDiagnosis } from './job-diagnosis.ts';
import { runningPart, startingPart } from './live-jobs.ts';
import { stoppingPart } from './stopping-jobs.ts';
import { durationText } from './texts.ts';
import type { Waiting } from './waiting.ts';

export function diagnoseJob(pass: RunPass, job: JobRecord, waiting: Waiting | null): JobDiagnosis {
  const assessment = asAttempt(pass, assess(pass, job, waiting));
  return { ...assessment, reasons: assessment.reasons.map((one) => ({ ...one, part: job.name })) };
}

/**
 * Adds the number of earlier failures to a job that starts again: it may be about to fail again.
 */
function asAttempt(pass: RunPass, diagnosis: JobDiagnosis): JobDiagnosis {
  const { job, state, text, reasons } = diagnosis;
  if (job.attempt === 0 || (state !== 'creating' && state !== 'starting')) return diagnosis;
  const attempt = job.attempt + 1;
  const last = submissionBefore(pass, job);
  const why = last === null ? '' : `; the last one ended${ranText(last)}: ${endText(last)}`;
  const withAttempt = `${text} (attempt ${attempt}${why})`;
  return { job, state, text: withAttempt, reasons: reasons.map((one) => ({ ...one, attempt })) };
}

function submissionBefore({ draft }: RunPass, job: JobRecord): JobRecord | null {
  const earlier = draft.jobs
    .all()
    .filter((one) => one.replicaNum === job.replicaNum && one.jobNum === job.jobNum)
    .filter((one) => one.submissionNum < job.submissionNum);
  return earlier.sort((a, b) => a.submissionNum - b.submissionNum).at(-1) ?? null;
}

function assess(pass: RunPass, job: JobRecord, waiting: Waiting | null): JobDiagnosis {
  if (isJobFinished(job.status)) return endedPart(job);
  if (isJobTerminating(job.status)) return stoppingPart(pass, job);
  if (isJobRunning(job.status)) return runningPart(pass, job);
  if (!isJobSubmitted(job.status)) return startingPart(pass, job);
  return job.instanceId === null ? waitingPart(pass, job, waiting) : creatingPart(pass, job);
}

export function partOf({ job, state, text, reasons: [first] }: JobDiagnosis): Part {
  const { rule = null, since = null, until = null, attempt = null } = first ?? {};
  const { name, status } = job;
  return { kind: 'job', name, status, state, rule, since, until, attempt, text };
}

function waitingPart(pass: RunPass, job: JobRecord, waiting: Waiting | null): JobDiagnosis {
  if (waiting === null) {
    const text = 'is about to be examined';
    return { job, state: 'waiting', text, reasons: [reason('submitting', text)] };
  }
  const limit = job.refusal === null ? null : waitLimit(pass, job);
  const until = limit === null || limit === Infinity ? null : limit;
  const reasons = waiting.reasons.map((one) => ({ ...one, until: until ?? one.until }));
  const [first] = reasons;
  if (first?.rule === 'placing') return { job, state: 'waiting', text: waiting.text, reasons };
  const verb = waiting.isPossible ? 'waits for a place' : 'cannot be placed';
  return { job, state: 'waiting', text: `${verb}: ${waiting.text}`, reasons };
}

function creatingPart(pass: RunPass, job: JobRecord): JobDiagnosis {
  const instance = pass.instanceOf(job);
  const since = instance?.createdAt ?? job.statusChangedAt;
  const create = instance && pass.draft.lastIntent('instance.create', instance.id);
  const offers = create?.payload.kind === 'instance.create' ? create.payload.totalOffers : 0;
  const of = offers > 0 ? ` (from ${offers === 1 ? '1 offer' : `${offers} offers`})` : '';
  const stage = instance?.terminationMessage ? `: ${instance.terminationMessage}` : '';
  const text = `waits for its machine ${instance?.name ?? ''}, which is being created${of}${stage}`;
  const until = silenceDeadline(pass.ctx, since, CREATE_LIMIT);
  return { job, state: 'creating', text, reasons: [reason('creating', text, { since, until })] };
}

function endedPart(job: JobRecord): JobDiagnosis {
  const { terminationReason, finishedAt: since } = job;
  const ran = ranText(job);
  const text = `ended${ran}: ${endText(job)}`;
  const has = job.exitStatus === null ? terminationReason : String(job.exitStatus);
  return { job, state: 'ended', text, reasons: [reason('ended', text, { has, since })] };
}

/** After so many failures in a row it is a crash loop. */
const CRASH_LOOP_FROM = 3;

/** A failed replica that is retried under the same number. */
export function diagnoseRetry(pass: RunPass, replica: Replica, job: JobRecord): JobDiagnosis {
  const at = retryTime(replica, pass.run.deploymentNum);
  const failures = nextAttempt(replica.jobs);
  const attempt = failures + 1;
  const isLoop = failures >= CRASH_LOOP_FROM && !isCapacityReason(job.terminationReason);
  const since = job.finishedAt;
  const again = againText(pass.now, at, attempt);
  const text = isLoop
    ? `fails again and again, now${ranText(job) || ' too'}: ${endText(job)}; ${again}`
    : `failed${ranText(job)}: ${endText(job)}; ${again}`;
  const detail = { since, until: at, attempt, has: job.exitStatus?.toString() ?? null };
  const rule = isLoop ? 'crash_loop' : 'retry_delay';
  return {
    job,
    state: 'retrying',
    text,
    reasons: [{ ...reason(rule, text, detail), part: job.name }],
  };
}

function againText(now: Timestamp, at: Timestamp, attempt: number): string {
  const number = `attempt ${attempt}`;
  if (at <= now) return `${number} begins now`;
  return `${number} begins in ${durationText(at - now)} (${instantText(at)})`;
}
