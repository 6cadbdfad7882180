/** From when the age of a run counts. */
import type { RunRecord, Timestamp } from '../model/index.ts';

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
