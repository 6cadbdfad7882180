import { SECOND } from '../../model/values.ts';
import { observedSince } from '../../time/unobserved.ts';
import type { RunPass } from '../run/run-pass.ts';

/**
 * Whether the demand or use of the last seconds is known. After a jump of the time it looks as if there had been none, so that
 * replicas in use would be taken away. Schedules a pass at the moment from which it is known.
 */
export function isMeasured({ ctx, now, draft }: RunPass, seconds: number): boolean {
  const from = observedSince(ctx) + seconds * SECOND;
  if (now >= from) return true;
  draft.dueAt(from);
  return false;
}
