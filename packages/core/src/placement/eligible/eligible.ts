/** Stage 1: which gangs are in the queue at all, and since when. */
import type { Gang, JobRecord, RunRecord } from '../../model/index.ts';
import { isJobSubmitted, isRunActive } from '../../status/index.ts';

/** Whether all jobs of the gang wait for a place: a gang that is being stopped or is held gets none. */
export function isEligible({ run, jobs }: Gang): boolean {
  const isWanted = !run.deleted && isRunActive(run.status) && run.hold === null;
  return isWanted && jobs.length > 0 && jobs.every(isUnplaced);
}

/**
 * It enters the queue when its user may not be there to submit it again: a member of an array, of which as many are born as may
 * wait, and a run that has waited for others. A lack of capacity ends none of them.
 */
export function comesLater({ arrayId, dependencyState }: RunRecord): boolean {
  return arrayId !== null || dependencyState !== null;
}

export function isUnplaced(job: JobRecord): boolean {
  return isJobSubmitted(job.status) && job.instanceId === null && job.stopRequestedAt === null;
}
