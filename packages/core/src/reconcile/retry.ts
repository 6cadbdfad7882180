/** Whether and when what failed is tried again. */
import { stableFraction } from '../hash/stable-hash.ts';
import type { JobRecord, RunRecord, Timestamp } from '../model/index.ts';
import { SECOND } from '../model/records.ts';
import { jobEnd, jobOutcome, latestSubmissions, type RetryEvent } from '../status/index.ts';
import { isUpToDate, type Replica } from './replicas.ts';
import type { RunPass } from './run-pass.ts';

export type RetryVerdict =
  /** Retry does not cover this end. */
  | { readonly kind: 'never' }
  /** It was tried for as long as retry allows. */
  | { readonly kind: 'spent' }
  | { readonly kind: 'retry'; readonly until: Timestamp };

/** Delay before the first retry, before each later one at most, and its spread by chance (seconds). */
const FIRST_DELAY = 1;
const LONGEST_DELAY = 300;
const SPREAD = 0.2;

/** A job that ran for this long was no failed start: the delays begin anew (µs). */
const HEALTHY_AFTER = 600 * SECOND;

/**
 * Wait before attempt `attempt` (from 1), in µs: doubled each time, and spread by up to a fifth so
 * that what failed together does not come back together. `seed`: id of the submission that failed.
 */
export function retryDelay(attempt: number, seed: string): number {
  const seconds = Math.min(FIRST_DELAY * 2 ** (attempt - 1), LONGEST_DELAY);
  const spread = 1 + SPREAD * (2 * stableFraction(`${seed} ${attempt}`) - 1);
  return Math.round(seconds * spread * SECOND);
}

/** Number of the attempt that follows the failure of these submissions of one replica. */
export function nextAttempt(jobs: readonly JobRecord[]): number {
  if (jobs.some(wasHealthy)) return 1;
  return Math.max(0, ...jobs.map((job) => job.attempt)) + 1;
}

function wasHealthy({ runningAt, finishedAt }: JobRecord): boolean {
  return runningAt !== null && finishedAt !== null && finishedAt - runningAt >= HEALTHY_AFTER;
}

/**
 * When a replica that has failed and ended is submitted again. One that failed under an older spec
 * is not waited for: that says nothing about the present one.
 */
export function retryTime(replica: Replica, deploymentNum: number): Timestamp {
  const ended = Math.max(0, ...replica.jobs.map((job) => job.finishedAt ?? 0));
  const [first] = replica.jobs;
  if (first === undefined || !isUpToDate(replica, deploymentNum)) return ended;
  return ended + retryDelay(nextAttempt(replica.jobs), first.id);
}

/**
 * A job that never had a machine counts its time from the submission of the run (of the execution,
 * when the run has a schedule); one that had one, from the end of the last submission that did.
 */
export function verdictOn(pass: RunPass, job: JobRecord, event: RetryEvent | null): RetryVerdict {
  const { retry } = job.spec;
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
  const verdicts = ownFailures(jobs).map((job) => verdictOn(pass, job, retryEvent(job)));
  if (verdicts.length === 0) return null;
  if (verdicts.some((one) => one.kind === 'never')) return { kind: 'never' };
  if (verdicts.some((one) => one.kind === 'spent')) return { kind: 'spent' };
  const until = verdicts.map((one) => (one.kind === 'retry' ? one.until : 0));
  return { kind: 'retry', until: Math.min(...until) };
}

function retryEvent({ terminationReason }: JobRecord): RetryEvent | null {
  return terminationReason === null ? null : jobEnd(terminationReason).retryEvent;
}
