/** When a host that cannot start jobs gets jobs again, and which starts are put back in the queue. */
import { isCapacityReason } from '@dstack/contract/status';
import type { HostTrouble, InstanceRecord, JobRecord } from '../model/records.ts';
import { SECOND, type Timestamp } from '../model/values.ts';

/** First and longest cool-down of a host, in seconds. It doubles with each start that fails in a row. */
const FIRST_COOL_DOWN = 30;
const LONGEST_COOL_DOWN = 1800;

export const NO_TROUBLE: HostTrouble = {
  executorFails: false,
  failedStarts: 0,
  cause: null,
  coolsUntil: null,
};

/** How long a host gets no jobs after this many failed starts in a row, in µs. */
export function coolDown(failedStarts: number): number {
  return Math.min(FIRST_COOL_DOWN * 2 ** (failedStarts - 1), LONGEST_COOL_DOWN) * SECOND;
}

/** The trouble of a host after another start that failed because of it. */
export function afterFailedStart(
  before: HostTrouble | null,
  cause: string,
  now: Timestamp,
): HostTrouble {
  const known = before ?? NO_TROUBLE;
  const failedStarts = known.failedStarts + 1;
  return { ...known, failedStarts, cause, coolsUntil: now + coolDown(failedStarts) };
}

/** Null instead of a record of nothing. */
export function settledTrouble(trouble: HostTrouble): HostTrouble | null {
  return trouble.executorFails || trouble.failedStarts > 0 ? trouble : null;
}

/** Whether the host starts no jobs now, for a reason that passes by itself or with a repair. */
export function hasHostFault({ hostTrouble }: Pick<InstanceRecord, 'hostTrouble'>): boolean {
  return hostTrouble !== null && (hostTrouble.executorFails || hostTrouble.coolsUntil !== null);
}

/**
 * Whether the submission ended because its host could not start it. Such an end is not the run's failure:
 * it is submitted again whatever the value of `retry`.
 */
export function wasPutBack(
  job: Pick<JobRecord, 'hostFault' | 'runningAt' | 'terminationReason'>,
): boolean {
  return (
    job.hostFault !== null && job.runningAt === null && isCapacityReason(job.terminationReason)
  );
}
