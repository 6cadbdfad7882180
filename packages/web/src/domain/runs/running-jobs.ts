import { isJobRunning } from '@dstack/contract/status';
import type { Job, Run } from '@dstack/contract/wire';

/** The specs of the jobs that run now: only these can be entered. */
export function runningJobs({ jobs }: Pick<Run, 'jobs'>): readonly Job['job_spec'][] {
  return jobs
    .filter(({ job_submissions }) => {
      const latest = job_submissions.at(-1);
      return latest !== undefined && isJobRunning(latest.status);
    })
    .map(({ job_spec }) => job_spec);
}
