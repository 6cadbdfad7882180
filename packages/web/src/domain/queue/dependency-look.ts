import { isRunDone, isRunFinished, type RunStatus } from '@dstack/contract/status';
import type { Run } from '@dstack/contract/wire';

/** The condition of a run that depends on another one. */
export type RunCondition = NonNullable<
  Run['run_spec']['configuration']['depends_on']
>[number]['on'];

export type UpstreamState = 'open' | 'met' | 'unmet';

/** How the other run stands to the condition. */
export function upstreamState(status: RunStatus, on: RunCondition): UpstreamState {
  if (!isRunFinished(status)) return 'open';
  switch (on) {
    case 'end':
      return 'met';
    case 'success':
      return isRunDone(status) ? 'met' : 'unmet';
    case 'failure':
      return isRunDone(status) ? 'unmet' : 'met';
  }
}

export const CONDITION_TEXTS: Readonly<Record<RunCondition, string>> = {
  success: 'has to be done',
  end: 'has to end',
  failure: 'has to fail',
};
