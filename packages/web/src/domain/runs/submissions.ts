import { isJobFailed } from '@dstack/contract/status';
import type { Job, Run } from '@dstack/contract/wire';

export interface ChosenSubmission {
  readonly job: Job;
  readonly submission: Job['job_submissions'][number];
}

/**
 * The submission that a link names, else the one that most probably matters: the latest of the first failed
 * job, or of the first job. Null: the run has none.
 */
export function chooseSubmission(
  run: Run,
  jobName: string | undefined,
  attempt: number | undefined,
): ChosenSubmission | null {
  const named = run.jobs.find(({ job_spec }) => job_spec.job_name === jobName);
  const failed = run.jobs.find(({ job_submissions }) => {
    const latest = job_submissions.at(-1);
    return latest !== undefined && isJobFailed(latest.status);
  });
  const job = named ?? failed ?? run.jobs[0];
  const submission =
    job?.job_submissions.find(({ submission_num }) => submission_num + 1 === attempt) ??
    job?.job_submissions.at(-1);
  return job && submission ? { job, submission } : null;
}
