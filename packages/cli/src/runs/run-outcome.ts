import { isJobAborted, isJobFailed, isRunDone } from '@dstack/contract/status';
import type { Job, JobSubmission, Run } from '@dstack/contract/wire';
import { EXIT } from '../errors.ts';
import { currentSubmission } from './run-status.ts';

/** How a finished run is reported to scripts. */
export interface RunOutcome {
  readonly code: number;
  /** Whether the code is that of the job's program, or of dstack. */
  readonly source: 'container' | 'dstack';
}

const STOPPED_BY_USER = new Set(['stopped_by_user', 'aborted_by_user']);
const NO_CAPACITY = 'failed_to_start_due_to_no_capacity';

/** The exit code of commands that wait for the end of a run. */
export function outcomeOf(run: Run): RunOutcome {
  if (isRunDone(run.status)) return { code: EXIT.done, source: 'container' };
  const job = decisiveJob(run);
  const submission = job && currentSubmission(job);
  const reasons = [run.termination_reason, submission?.termination_reason];
  if (reasons.some((reason) => reason && STOPPED_BY_USER.has(reason))) {
    return { code: EXIT.interrupted, source: 'dstack' };
  }
  // A program that has ended with 0 in a run that failed did not make it fail.
  if (submission?.exit_status) return { code: submission.exit_status, source: 'container' };
  const code = submission?.termination_reason === NO_CAPACITY ? EXIT.noCapacity : EXIT.failed;
  return { code, source: 'dstack' };
}

/**
 * The job that made a run fail: of several nodes the one that failed first, preferably with an exit
 * code, since the others are stopped because of it. Without a failed job, the first one.
 */
export function decisiveJob(run: Run): Job | undefined {
  const failed = run.jobs.filter((job) => {
    const status = currentSubmission(job)?.status;
    return status !== undefined && (isJobFailed(status) || isJobAborted(status));
  });
  const coded = failed.filter((job) => currentSubmission(job)?.exit_status);
  const candidates = coded.length > 0 ? coded : failed;
  const [first] = candidates.toSorted((a, b) => endOf(a) - endOf(b));
  return first ?? run.jobs[0];
}

function endOf(job: Job): number {
  const submission: JobSubmission | undefined = currentSubmission(job);
  const end = submission?.finished_at ? Date.parse(submission.finished_at) : Number.NaN;
  return Number.isNaN(end) ? Number.POSITIVE_INFINITY : end;
}
