import { isRunFinished } from '@dstack/contract/status';
import type { RunPlan } from '@dstack/contract/wire';
import { configurationText } from '../runs/configuration-text.ts';

/** Another user changed the run after its plan was shown. */
export interface EditConflict {
  readonly name: string;
  /** The configuration when the plan was shown; '': there was no active run of that name. */
  readonly before: string;
  readonly theirs: string;
  readonly mine: string;
}

/** `seen`: the plan that was submitted; `now`: the plan of the same text after the server refused it. */
export function editConflict(seen: RunPlan, now: RunPlan): EditConflict | null {
  const theirs = activeText(now);
  const before = activeText(seen) ?? '';
  if (theirs === null || theirs === before) return null;
  const name = now.current_resource?.run_spec.run_name ?? '';
  return { name, before, theirs, mine: configurationText(now.run_spec.configuration) };
}

function activeText({ current_resource: run }: RunPlan): string | null {
  if (run === null || isRunFinished(run.status)) return null;
  return configurationText(run.run_spec.configuration);
}
