import type { Job, Run } from '@dstack/contract/wire';
import { useNavigate } from '@tanstack/react-router';
import { ALL_JOBS } from '../../domain/runs/chosen-jobs.ts';
import type { ChosenSubmission } from '../../domain/runs/submissions.ts';
import { Select } from '../../ui/select/select.tsx';
import { momentText } from '../../ui/time/format-time.ts';

interface SubmissionPickerProps {
  readonly run: Run;
  readonly chosen: ChosenSubmission;
  /** The jobs whose logs are merged, as the address has them; null: none, but all can be. */
  readonly merged?: { readonly value: string; readonly name: string } | null;
  /** Only jobs can be chosen. */
  readonly latestOnly?: boolean;
}

/** Chooses a job, and one of its attempts; hidden where there is no choice. */
export function SubmissionPicker({ run, chosen, merged, latestOnly }: SubmissionPickerProps) {
  const navigate = useNavigate();
  const jobName = chosen.job.job_spec.job_name;
  const choose = (job: string, attempt: number | undefined) =>
    void navigate({
      to: '.',
      search: (before) => ({ ...before, job, attempt }),
      replace: true,
    });
  const attempts = listedAttempts(chosen);
  return (
    <>
      {run.jobs.length > 1 ? (
        <Select
          label="Job"
          value={merged?.value ?? jobName}
          options={[
            ...(merged === undefined ? [] : [{ value: ALL_JOBS, label: 'All jobs' }]),
            ...(merged && merged.value !== ALL_JOBS
              ? [{ value: merged.value, label: merged.name }]
              : []),
            ...run.jobs.map(({ job_spec, job_submissions }) => ({
              value: job_spec.job_name,
              label: job_spec.job_name,
              hint: job_submissions.at(-1)?.status_message ?? '',
            })),
          ]}
          onChange={(job) => choose(job, undefined)}
        />
      ) : null}
      {attempts.length > 1 && !merged && !latestOnly ? (
        <Select
          label="Attempt"
          value={String(chosen.submission.submission_num + 1)}
          options={attempts
            .toReversed()
            .map(({ submission_num, submitted_at, status_message }) => ({
              value: String(submission_num + 1),
              label: `Attempt ${submission_num + 1}`,
              // Times distinguish those of a schedule.
              hint: `${momentText(Date.parse(submitted_at), Date.now())}, ${status_message}`,
            }))}
          onChange={(attempt) => choose(jobName, Number(attempt))}
        />
      ) : null}
    </>
  );
}

/** Newest attempts that are listed: a schedule may have started thousands of times. */
const MOST_ATTEMPTS = 200;

/** In their order, with the chosen one wherever it is. */
function listedAttempts({ job, submission }: ChosenSubmission): Job['job_submissions'] {
  const newest = job.job_submissions.slice(-MOST_ATTEMPTS);
  return newest.includes(submission) ? newest : [submission, ...newest];
}
