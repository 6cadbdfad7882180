import type { LivenessSpec } from '@dstack/contract/wire';

/** Failures in a row, and whether the app has ever answered. */
export interface LivenessCount {
  readonly failures: number;
  readonly hasAnswered: boolean;
}

export const NO_ANSWER_YET: LivenessCount = { failures: 0, hasAnswered: false };

/** `ranFor`: seconds. An app that has not answered yet has its start period. */
export function nextCount(
  before: LivenessCount,
  isAlive: boolean,
  { start_period }: LivenessSpec,
  ranFor: number,
): LivenessCount {
  if (isAlive) return { failures: 0, hasAnswered: true };
  if (!before.hasAnswered && ranFor < start_period) return before;
  return { ...before, failures: before.failures + 1 };
}
