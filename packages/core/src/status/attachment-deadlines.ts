/**
 * Deadlines of a volume's attachment. `attaching` ends within `ATTACH_LIMIT`. `detaching` is
 * requested without force, after `forceDetachAt` with force, and again until the backend reports
 * that it is done or the instance has ended: a volume that is still attached cannot be used
 * elsewhere. The job does not wait longer than `DETACH_WAIT` after the first forced attempt.
 */
import type { DecisionContext } from '../model/index.ts';
import type { Timestamp } from '../model/values.ts';
import type { AttachmentRecord, VolumeUse } from '../model/volumes.ts';
import { silence, silenceDeadline } from '../time/silence.ts';

/** A backend that has not attached a volume by then has failed. */
export const ATTACH_LIMIT = silence(300);

/** No volume is detached by force sooner than this. */
const LEAST_FORCE_DELAY = 60;
/** Where the job sets no limit of its own (`stop_duration: off`). */
const DEFAULT_FORCE_DELAY = 300;

/** Seconds after the first forced detachment until a job ends although its volume is still attached. */
export const DETACH_WAIT = 120;

/** When a volume is detached by force: the latest time that any of the jobs that used it allows. */
export function forceDetachAt(
  ctx: Pick<DecisionContext, 'unobserved'>,
  { statusChangedAt }: Pick<AttachmentRecord, 'statusChangedAt'>,
  jobs: readonly Pick<VolumeUse['job'], 'terminationReason' | 'spec'>[],
): Timestamp {
  const delays = jobs.map(forceDelay);
  const delay = delays.length === 0 ? LEAST_FORCE_DELAY : Math.max(...delays);
  return silenceDeadline(ctx, statusChangedAt, silence(delay));
}

/** Seconds until the job's volumes are detached by force; see `forceDetachAt`. */
export function forceDelay({
  terminationReason,
  spec,
}: Pick<VolumeUse['job'], 'terminationReason' | 'spec'>): number {
  if (terminationReason === 'aborted_by_user') return LEAST_FORCE_DELAY;
  return Math.max(LEAST_FORCE_DELAY, spec.stop_duration ?? DEFAULT_FORCE_DELAY);
}
