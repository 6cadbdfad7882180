/** Stage 1: which gangs are in the queue at all, and since when. */
import type { Gang, JobRecord, RunRecord, Timestamp } from '../../model/index.ts';
import { isJobSubmitted, isRunActive } from '../../status/index.ts';

/** Whether all jobs of the gang wait for a place: a gang that is being stopped or is held gets none. */
export function isEligible({ run, jobs }: Gang): boolean {
  const isWanted = !run.deleted && isRunActive(run.status) && run.hold === null;
  return isWanted && jobs.length > 0 && jobs.every(isUnplaced);
}

export function isUnplaced(job: JobRecord): boolean {
  return isJobSubmitted(job.status) && job.instanceId === null && job.stopRequestedAt === null;
}

/**
 * From when the age of a run counts in the queue, and the duration of its `retry`: a run that was held
 * gets no advantage from the time in which it could not have run. Members of arrays count from the
 * submission of the array, whenever they are born.
 */
export function eligibleSince({
  submittedAt,
  eligibleAt,
  arraySince,
}: Pick<RunRecord, 'submittedAt' | 'eligibleAt' | 'arraySince'>): Timestamp {
  const since = arraySince ?? submittedAt;
  return Math.max(since, eligibleAt ?? since);
}
