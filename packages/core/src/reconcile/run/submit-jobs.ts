/** New submissions of replicas: a retry, another replica, a deployment, or a scheduled start. */
import { jobCreatedEvent } from '../../events/events.ts';
import type { JobRecord } from '../../model/index.ts';
import { isCapacityReason, isJobFinished, wasPutBack } from '../../status/index.ts';
import { isUpToDate, type Replica } from '../service/replicas.ts';
import { newSubmissions } from './new-submission.ts';
import { nextAttempt, nextResumeCount } from './retry.ts';
import type { RunPass } from './run-pass.ts';

export interface Submission {
  readonly num: number;
  readonly group: string;
  readonly occasion: 'new submission' | 'retry';
  /** The failed submissions that this one retries; null = it is not a retry. */
  readonly after: Replica | null;
}

/** Submits every job of the replica anew, from the run's present spec. */
export function submitReplica(pass: RunPass, { num, group, occasion, after }: Submission): void {
  const { run, draft } = pass;
  const isRetry = after !== null && isUpToDate(after, run.deploymentNum);
  const earlier = new Map<number, JobRecord[]>();
  for (const job of draft.jobs.all().sort((a, b) => a.submissionNum - b.submissionNum)) {
    if (job.replicaNum !== num) continue;
    earlier.set(job.jobNum, [...(earlier.get(job.jobNum) ?? []), job]);
  }
  const jobs = newSubmissions(run, pass.ctx.buildJobs(run, num, group), {
    newId: pass.ctx.newId,
    now: pass.now,
    replicaNum: num,
    attempt: isRetry ? nextAttempt(after.jobs) : 0,
    resumeCount: after === null ? 0 : nextResumeCount(after.jobs),
    submissionNum: (jobNum) => (earlier.get(jobNum)?.at(-1)?.submissionNum ?? -1) + 1,
  });
  for (const job of jobs) {
    for (const old of superseded(earlier.get(job.jobNum) ?? [])) draft.jobs.delete(old);
    draft.jobs.insert(job);
    draft.event(jobCreatedEvent(job, occasion));
  }
  draft.signal('placement', run.projectId);
}

/** The newest submissions of a job are always kept. */
export const KEPT_SUBMISSIONS = 20;

/**
 * Submissions to delete when another one follows, so that long waits and crash loops do not
 * accumulate rows. It keeps the first, the newest, each that ended differently from the one before
 * it, and the last that had a machine (retry budgets are counted from it). Submissions that got no
 * machine for lack of capacity are deleted once they are superseded twice, as in dstack 0.22.5.
 * `jobs`: oldest first.
 */
function superseded(jobs: readonly JobRecord[]): JobRecord[] {
  const provisioned = jobs.findLast((job) => job.provisionedAt !== null && !wasPutBack(job));
  return jobs.slice(0, -1).filter((job, i) => {
    if (!isJobFinished(job.status) || job === provisioned) return false;
    if (job.provisionedAt === null && isCapacityReason(job.terminationReason)) return true;
    const before = jobs[i - 1];
    return i < jobs.length - KEPT_SUBMISSIONS && before !== undefined && endedAlike(job, before);
  });
}

function endedAlike(a: JobRecord, b: JobRecord): boolean {
  return a.terminationReason === b.terminationReason && a.exitStatus === b.exitStatus;
}
