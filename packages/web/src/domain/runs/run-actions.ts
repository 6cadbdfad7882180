import {
  isRunAlive,
  isRunFinished,
  isRunTerminating,
  isRunWaiting,
  type RunStatus,
} from '@dstack/contract/status';
import type { Run } from '@dstack/contract/wire';

/** `null`: the action is possible; otherwise the reason why it is not. */
export interface RunActions {
  readonly stop: string | null;
  readonly abort: string | null;
  readonly remove: string | null;
}

/** The actions that a run in this status allows, for the page only: the server checks each request itself. */
export function runActions(status: RunStatus): RunActions {
  if (isRunFinished(status)) {
    const ended = 'The run has already ended';
    return { stop: ended, abort: ended, remove: null };
  }
  const active = 'Stop the run first';
  if (isRunTerminating(status)) {
    return { stop: 'The run is already stopping', abort: null, remove: active };
  }
  return { stop: null, abort: null, remove: active };
}

/** Whether the run can be kept out of the queue, or let into it again. */
export function holdAction({
  status,
  hold,
}: Pick<Run, 'status' | 'hold'>): 'hold' | 'release' | null {
  if (isRunFinished(status) || isRunTerminating(status)) return null;
  if (hold !== undefined) return 'release';
  return isRunWaiting(status) ? 'hold' : null;
}

/** The filters of the list of runs by status. */
export const STATUS_FILTERS = {
  any: 'Any status',
  active: 'Active',
  failed: 'Failed',
  done: 'Done',
  stopped: 'Stopped',
} as const;
export type StatusFilter = keyof typeof STATUS_FILTERS;

export function matchesStatus(status: RunStatus, filter: StatusFilter): boolean {
  switch (filter) {
    case 'any':
      return true;
    case 'active':
      return isRunAlive(status) || isRunTerminating(status);
    case 'failed':
      return status === 'failed';
    case 'done':
      return status === 'done';
    case 'stopped':
      return status === 'terminated';
  }
}
