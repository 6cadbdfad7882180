import type { Job, Run } from '@dstack/contract/wire';
import { isRunningNow } from './run-status.ts';

/** The first job of the first running replica; if none runs, of the first replica. */
export function jobToFollow(run: Run): Job | undefined {
  const firsts = run.jobs.filter((job) => job.job_spec.job_num === 0);
  const running = firsts.find(isRunningNow);
  return running ?? firsts[0];
}
