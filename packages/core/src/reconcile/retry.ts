/** Whether a failed job may be tried again, and until when. */
import type { JobRecord, RunRecord, Timestamp } from '../model/index.ts';
import { SECOND } from '../model/records.ts';
import { jobEnd, jobOutcome, latestSubmissions } from '../status/index.ts';
import type { RunPass } from './run-pass.ts';

export type RetryVerdict =
  /** Retry does not cover this end. */
  | { readonly kind: 'never' }
  /** It was tried for as long as retry allows. */
  | { readonly kind: 'spent' }
  | { readonly kind: 'retry'; readonly until: Timestamp };

/**
 * A job that never had a machine counts its time from the submission of the run (of the execution,
 * when the run has a schedule); one that had one, from the end of the last submission that did.
 */
export function retryVerdict(pass: RunPass, job: JobRecord): RetryVerdict {
  const { retry } = job.spec;
  const event = job.terminationReason === null ? null : jobEnd(job.terminationReason).retryEvent;
  if (!retry || event === null || !retry.on_events.includes(event)) return { kind: 'never' };
  const provisioned = lastProvisioned(pass, job);
  // Something other than capacity kept it from ever having a machine: trying again is no cure.
  if (provisioned === null && event !== 'no-capacity') return { kind: 'never' };
  const from =
    provisioned === null ? executionStart(pass.run) : (provisioned.finishedAt ?? pass.now);
  const until = from + retry.duration * SECOND;
  return pass.now > until ? { kind: 'spent' } : { kind: 'retry', until };
}

function executionStart(run: RunRecord): Timestamp {
  return run.nextTriggeredAt ?? run.submittedAt;
}

function lastProvisioned(pass: RunPass, job: JobRecord): JobRecord | null {
  return pass.draft.jobs
    .all()
    .filter((one) => one.replicaNum === job.replicaNum && one.jobNum === job.jobNum)
    .filter((one) => one.provisionedAt !== null)
    .reduce<JobRecord | null>(
      (last, one) => (last === null || one.submissionNum > last.submissionNum ? one : last),
      null,
    );
}

/** Jobs that failed by themselves; siblings ended because of them are no failures of their own. */
export function ownFailures(jobs: readonly JobRecord[]): JobRecord[] {
  const failed = latestSubmissions(jobs).filter((job) => jobOutcome(job) === 'failed');
  const own = failed.filter((job) => job.terminationReason !== 'terminated_by_server');
  return own.length > 0 ? own : failed;
}

/** The verdict on a replica is its worst job's; `until` is the earliest. Null = nothing failed. */
export function replicaVerdict(pass: RunPass, jobs: readonly JobRecord[]): RetryVerdict | null {
  const verdicts = ownFailures(jobs).map((job) => retryVerdict(pass, job));
  if (verdicts.length === 0) return null;
  if (verdicts.some((one) => one.kind === 'never')) return { kind: 'never' };
  if (verdicts.some((one) => one.kind === 'spent')) return { kind: 'spent' };
  const until = verdicts.map((one) => (one.kind === 'retry' ? one.until : 0));
  return { kind: 'retry', until: Math.min(...until) };
}
