/** New submissions of replicas: a retry, another replica, a deployment, a firing of the schedule. */
import type { JobSpec } from '@dstack/contract/wire';
import type { JobRecord } from '../model/index.ts';
import { isCapacityReason, isJobFinished } from '../status/index.ts';
import { jobCreatedEvent } from './events.ts';
import { newSubmission } from './new-submission.ts';
import type { RunPass } from './run-pass.ts';

type Occasion = 'new submission' | 'retry';

/** Submits every job of the replica anew, from the run's present spec. */
export function submitReplica(
  pass: RunPass,
  replicaNum: number,
  group: string,
  occasion: Occasion,
): void {
  for (const spec of pass.ctx.buildJobs(pass.run, replicaNum, group)) {
    submitJob(pass, spec, replicaNum, occasion);
  }
  pass.draft.signal('placement', pass.run.projectId);
}

function submitJob(pass: RunPass, spec: JobSpec, replicaNum: number, occasion: Occasion): void {
  const earlier = pass.draft.jobs
    .all()
    .filter((job) => job.replicaNum === replicaNum && job.jobNum === spec.job_num)
    .sort((a, b) => a.submissionNum - b.submissionNum);
  const previous = earlier.at(-1);
  // The direct predecessor stays: texts and retry budgets look at it.
  for (const job of earlier.slice(0, -1)) prune(pass, job);
  const submissionNum = previous === undefined ? 0 : previous.submissionNum + 1;
  const job = pass.draft.jobs.insert(
    newSubmission(pass.run, spec, {
      id: pass.ctx.newId(),
      now: pass.now,
      replicaNum,
      submissionNum,
    }),
  );
  pass.draft.event(jobCreatedEvent(job, occasion));
}

/** A long wait for capacity must not pile up rows that say nothing. */
function prune(pass: RunPass, job: JobRecord): void {
  const fruitless = job.provisionedAt === null && isCapacityReason(job.terminationReason);
  if (fruitless && isJobFinished(job.status)) pass.draft.jobs.delete(job);
}
