import type { Job, JobSubmission } from '@dstack/contract/wire';
import { CliError, EXIT } from '../../errors.ts';
import { utcTime } from '../../format/time.ts';
import { jobStatusText } from '../../runs/run-status.ts';

/** Which attempt of a job is meant; without either the latest. */
export interface AttemptChoice {
  /** From 1. */
  readonly attempt: number | null;
  /** The one before the latest. */
  readonly previous: boolean;
}

/**
 * The job as it was in this attempt: its last submission is the chosen one. Retries and starts by a
 * schedule are attempts. Throws with the attempts there are if this one is not among them.
 */
export function inAttempt(job: Job, choice: AttemptChoice, runName: string): Job {
  const { job_submissions: all } = job;
  const index = indexOf(all, choice);
  if (index >= 0) return { ...job, job_submissions: all.slice(0, index + 1) };
  const what = choice.previous ? 'no attempt before the latest' : `no attempt ${choice.attempt}`;
  throw new CliError(`${job.job_spec.job_name} of run ${runName} has ${what}`, {
    exitCode: EXIT.notFound,
    why: all.length > 0 ? `it has: ${all.map(attemptText).join(', ')}` : 'it has not started yet',
    next: `dstack logs ${runName}`,
  });
}

function indexOf(all: readonly JobSubmission[], { attempt, previous }: AttemptChoice): number {
  if (previous) return all.length - 2;
  if (attempt === null) return all.length - 1;
  return all.findIndex(({ submission_num: number }) => number === attempt - 1);
}

function attemptText(submission: JobSubmission): string {
  const at = utcTime(submission.submitted_at);
  return `${submission.submission_num + 1} (${at}, ${jobStatusText(submission).text})`;
}
