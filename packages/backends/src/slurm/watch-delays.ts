/** How often a cluster's jobs are looked at: often while they are starting, rarely while they run. */

export interface QueueInput {
  /** Milliseconds since the last change, for each job whose state will change soon. */
  readonly ages: readonly number[];
  /** Some job holds nodes or waits for them. */
  readonly isHeld: boolean;
  /** A file has changed, or a connection has ended. */
  readonly isWanted: boolean;
  /** Something ended some seconds ago. */
  readonly isUnsettled: boolean;
  /** Readings without an answer in a row. */
  readonly failures: number;
}

const SECOND = 1000;
/** Many jobs that start together share a reading. */
const LEAST_MS = 250;
const HELD_MS = 30 * SECOND;
/** Users notice how long their jobs stay unreachable after the login node is back; a call costs it little. */
const FAILED_MS = { least: SECOND / 2, most: 2 * SECOND, mostWithoutJobs: 60 * SECOND };

/** Delay between two readings of the queue, in milliseconds; infinite = none is needed. */
export function queueDelay({ ages, isHeld, isWanted, isUnsettled, failures }: QueueInput): number {
  if (failures > 0) {
    const most = isHeld ? FAILED_MS.most : FAILED_MS.mostWithoutJobs;
    return Math.min(most, FAILED_MS.least * 2 ** (failures - 1));
  }
  if (isWanted) return LEAST_MS;
  if (isUnsettled) return SECOND;
  if (ages.length > 0) return between(2 * SECOND, Math.min(...ages) / 5, 15 * SECOND);
  return isHeld ? HELD_MS : Number.POSITIVE_INFINITY;
}

/** Delay between two looks at the folders of jobs that are starting. */
export function filesDelay(ages: readonly number[]): number {
  if (ages.length === 0) return Number.POSITIVE_INFINITY;
  return Math.max(between(20, Math.min(...ages) / 100, 2 * SECOND), ages.length * 2);
}

const between = (least: number, value: number, most: number): number =>
  Math.min(most, Math.max(least, value));
