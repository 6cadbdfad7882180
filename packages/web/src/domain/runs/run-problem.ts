import { isRunDone, isRunRunning } from '@dstack/contract/status';
import type { RunRow } from '../../data/runs/run-row.ts';

/** Whether the page should say why the run is where it is: it waits, it starts, it failed, or it hangs. */
export function needsExplanation({
  status,
  type,
  statusMessage,
  terminationReason,
}: RunRow): boolean {
  if (isRunDone(status)) return false;
  if (terminationReason === 'stopped_by_user' || terminationReason === 'aborted_by_user')
    return false;
  // A service runs before it is ready.
  return !isRunRunning(status) || type === 'service' || statusMessage !== 'running';
}
