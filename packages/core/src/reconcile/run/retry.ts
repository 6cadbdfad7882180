/** Whether and when failed replicas are retried. */
import type { RetryEvent } from '@dstack/contract';
import { stableFraction } from '../../hash/stable-hash.ts';
import type { JobRecord, RunRecord, Timestamp } from '../../model/index.ts';
import { SECOND } from '../../model/values.ts';
import {
  hadToLeave,
  isRequeued,
  jobEnd,
  jobOutcome,
  latestSubmissions,
  wasPutBack,
} from '../../status/index.ts';
import { silence, silenceDeadline } from '../../time/silence.ts';
import { isUpToDate, type Replica } from '../service/replicas.ts';
import { sleepsWithoutDemand } from '../service/scaled-groups.ts';
import type { RunPass } from './run-pass.ts';

export type RetryVerdict =
  /** `retry` does not cover this failure. */
  | { readonly kind: 'never' }
  /** `retry.duration` is used up. */
  | { readonly kind: 'spent' }
  | { readonly kind: 'retry'; readonly until: Timestamp };

/** First and longest delay in seconds, and the jitter as a fraction of the delay. */
const FIRST_DELAY = 1;
const LONGEST_DELAY = 300;
const JITTER = 0.2;

/** After a run of this length (µs) the delays start again with the first. */
const HEALTHY_AFTER = 600 * SECOND;

/**
 * Delay before attempt `attempt` (from 1), in µs. It doubles with each attempt and has a jitter of up
 * to 20 %, so that jobs that failed together do not restart together. `seed`: id of the failed
 * submission; core has no randomness.
 */
export function retryDelay(attempt: number, seed: string): number {
  const seconds = Math.min(FIRST_DELAY * 2 ** (attempt - 1), LONGEST_DELAY);
  const jitter = 1 + JITTER * (2 * stableFraction(`${seed} ${attempt}`) - 1);
  return Math.round(seconds * jitter * SECOND);
}

/** Number of the next attempt after these submissions of one replica failed. */
export function nextAttempt(jobs: readonly JobRecord[]): number {
  const before = Math.max(0, ...jobs.map((job) => job.attempt));
  if (hadAllToLeave(jobs)) return before;
  return jobs.some(wasHealthy) ? 1 : before + 1;
}

/**
 * Resumes of a replica after these submissions of it. An interruption of one node counts for all
 * nodes, because the others are ended with it.
 */
export function nextResumeCount(jobs: readonly JobRecord[]): number {
  const before = Math.max(0, ...jobs.map((job) => job.resumeCount));
  return jobs.some((job) => retryEvent(job) === 'interruption') ? before + 1 : before;
}

/**
 * Whether the replica was put back in the queue, or replaces one that was, and has not had a machine
 * since: it waits for a place whatever the value of `retry`.
 */
export function followsRequeue(pass: RunPass, job: JobRecord): boolean {
  const earlier = pass.draft.jobs
    .all()
    .filter((one) => one.replicaNum === job.replicaNum && one.submissionNum < job.submissionNum);
  let since = job.submittedAt;
  for (let num = job.submissionNum - 1; num >= 0; num--) {
    const jobs = earlier.filter((one) => one.submissionNum === num);
    if (jobs.some(isRequeued)) return true;
    if (!jobs.some((one) => retryEvent(one) === 'no-capacity')) break;
    since = Math.min(since, ...jobs.map((one) => one.submittedAt));
  }
  return pass.latest.some(
    (one) =>
      one.spec.replica_group === job.spec.replica_group &&
      one.replicaNum !== job.replicaNum &&
      isRequeued(one) &&
      (one.finishedAt ?? 0) >= since,
  );
}

/** The replica had to leave its instances. That is not a failure of the replica. */
function hadAllToLeave(jobs: readonly JobRecord[]): boolean {
  const own = ownFailures(jobs);
  return own.length > 0 && own.every(hadToLeave);
}

function wasHealthy({ runningAt, finishedAt }: JobRecord): boolean {
  return runningAt !== null && finishedAt !== null && finishedAt - runningAt >= HEALTHY_AFTER;
}

/**
 * When a failed replica is submitted again. A failure under an older spec causes no delay, because the
 * present spec may not have the fault.
 */
export function retryTime(replica: Replica, deploymentNum: number): Timestamp {
  const ended = Math.max(0, ...replica.jobs.map((job) => job.finishedAt ?? 0));
  const [first] = replica.jobs;
  if (first === undefined || !isUpToDate(replica, deploymentNum)) return ended;
  if (hadAllToLeave(replica.jobs)) return ended;
  return ended + retryDelay(nextAttempt(replica.jobs), first.id);
}

/**
 * Whether `retry` allows another attempt. Its duration counts from the end of the last submission that
 * had a machine; without one, from the submission of the run or its last scheduled start. The time in
 * which the run could not be in the queue does not count.
 */
export function verdictOn(pass: RunPass, job: JobRecord, event: RetryEvent | null): RetryVerdict {
  // A restart is what `liveness` asks for, whatever `retry` allows.
  if (job.terminationReason === 'liveness_probe_failed') return { kind: 'retry', until: Infinity };
  if (isRequeued(job)) return { kind: 'retry', until: Infinity };
  if (event === 'no-capacity' && followsRequeue(pass, job))
    return { kind: 'retry', until: Infinity };
  const { retry } = job.spec;
  if (!retry || event === null || !retry.on_events.includes(event)) return { kind: 'never' };
  const provisioned = lastProvisioned(pass, job);
  // It never got a machine, for a reason other than capacity: a retry would fail too.
  if (provisioned === null && event !== 'no-capacity') return { kind: 'never' };
  const from =
    provisioned === null ? executionStart(pass.run) : (provisioned.finishedAt ?? pass.now);
  const until = silenceDeadline(
    pass.ctx,
    Math.max(from, pass.run.eligibleAt ?? 0),
    silence(retry.duration),
  );
  return pass.now > until ? { kind: 'spent' } : { kind: 'retry', until };
}

function executionStart(run: RunRecord): Timestamp {
  return run.nextTriggeredAt ?? run.submittedAt;
}

function lastProvisioned(pass: RunPass, job: JobRecord): JobRecord | null {
  return pass.draft.jobs
    .all()
    .filter((one) => one.replicaNum === job.replicaNum && one.jobNum === job.jobNum)
    .filter((one) => one.provisionedAt !== null && !wasPutBack(one))
    .reduce<JobRecord | null>(
      (last, one) => (last === null || one.submissionNum > last.submissionNum ? one : last),
      null,
    );
}

/** Jobs that failed by themselves, without siblings that were ended because of them. */
export function ownFailures(jobs: readonly JobRecord[]): JobRecord[] {
  const failed = latestSubmissions(jobs).filter((job) => jobOutcome(job) === 'failed');
  const own = failed.filter((job) => job.terminationReason !== 'terminated_by_server');
  return own.length > 0 ? own : failed;
}

/** The worst verdict of its jobs, with the earliest `until`; null = no job failed. */
export function replicaVerdict(pass: RunPass, jobs: readonly JobRecord[]): RetryVerdict | null {
  const verdicts = ownFailures(jobs).map((job) => verdictOn(pass, job, retryEvent(job)));
  if (verdicts.length === 0) return null;
  if (verdicts.some((one) => one.kind === 'never')) return { kind: 'never' };
  if (verdicts.some((one) => one.kind === 'spent')) return { kind: 'spent' };
  const until = verdicts.map((one) => (one.kind === 'retry' ? one.until : 0));
  return { kind: 'retry', until: Math.min(...until) };
}

/**
 * Verdict on a failed replica if no other replica serves. A replica that was started by a request is
 * retried for lack of capacity, whatever the value of `retry`.
 */
export function verdictAlone(pass: RunPass, { group, jobs }: Replica): RetryVerdict | null {
  const verdict = replicaVerdict(pass, jobs);
  if (verdict === null || verdict.kind === 'retry') return verdict;
  if (!sleepsWithoutDemand(pass.run, group)) return verdict;
  const lacksCapacity = ownFailures(jobs).every((job) => retryEvent(job) === 'no-capacity');
  return lacksCapacity ? { kind: 'retry', until: Infinity } : verdict;
}

function retryEvent({ terminationReason }: JobRecord): RetryEvent | null {
  return terminationReason === null ? null : jobEnd(terminationReason).retryEvent;
}
