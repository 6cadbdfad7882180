/** Whether the runs have ended that another one waits for. */
import type { DependencyCondition } from '@dstack/contract';
import type {
  DependencyRecord,
  DependencyState,
  EndOutcome,
  RunRecord,
  RunStatus,
} from '../../model/index.ts';
import { isRunDone, isRunFinished, isRunPending } from '../../status/index.ts';

/** Returns the outcome of a status at the end of a run. */
export const endOutcome = (status: RunStatus): EndOutcome =>
  isRunDone(status) ? 'success' : 'failure';

/**
 * How a run has ended so far, when another one is submitted that depends on it: between two executions of
 * a schedule, that is the outcome of the last one. Null: it is under way, or has never been.
 */
export function presentOutcome(
  run: Pick<RunRecord, 'status' | 'lastOutcome' | 'resubmissionAttempt'>,
): EndOutcome | null {
  if (isRunFinished(run.status)) return endOutcome(run.status);
  const isBetween = isRunPending(run.status) && run.resubmissionAttempt === 0;
  return isBetween ? run.lastOutcome : null;
}

export function isMet(on: DependencyCondition, outcome: EndOutcome): boolean {
  return on === 'end' || on === outcome;
}

/** It can no longer come true. */
export const isUnmet = ({ on, outcome }: DependencyRecord): boolean =>
  outcome !== null && !isMet(on, outcome);

/** One that can no longer come true decides, whatever the others become. */
export function dependencyState(dependencies: readonly DependencyRecord[]): DependencyState {
  if (dependencies.some(isUnmet)) return 'unmet';
  return dependencies.every(({ outcome }) => outcome !== null) ? 'met' : 'open';
}
