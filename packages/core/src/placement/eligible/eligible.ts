/** Stage 1: which gangs are in the queue at all, and since when. */
import type { Gang, JobRecord } from '../../model/index.ts';
import { isJobSubmitted, isRunActive } from '../../status/index.ts';

/** Whether all jobs of the gang wait for a place: a gang that is being stopped or is held gets none. */
export function isEligible({ run, jobs }: Gang): boolean {
  const isWanted = !run.deleted && isRunActive(run.status) && run.hold === null;
  return isWanted && jobs.length > 0 && jobs.every(isUnplaced);
}

export function isUnplaced(job: JobRecord): boolean {
  return isJobSubmitted(job.status) && job.instanceId === null && job.stopRequestedAt === null;
}
