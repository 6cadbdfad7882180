/** A run that waits until others have ended. */
import { runTarget } from '../../events/events.ts';
import { recordEvent } from '../../events/record-event.ts';
import type { DependencyRecord } from '../../model/index.ts';
import { dependencyState, isUnmet } from '../../placement/eligible/dependencies.ts';
import type { RunPass } from './run-pass.ts';

/**
 * Whether the run waits for others; it has no timer of its own, since their ends signal it. Its age in
 * the queue counts from the moment at which the last of them has ended.
 */
export function awaitsOthers(pass: RunPass): boolean {
  const { run, snapshot } = pass;
  if (run.dependencyState === 'unmet') {
    endIfUnmet(pass, endingOf(pass));
    return true;
  }
  if (run.dependencyState !== 'open') return false;
  const state = dependencyState(snapshot.dependencies);
  switch (state) {
    case 'open':
      return true;
    case 'met':
      pass.setRun({ dependencyState: state, eligibleAt: pass.now });
      pass.draft.event(recordEvent({ action: 'run.dependencies_met', targets: [runTarget(run)] }));
      return false;
    case 'unmet':
      pass.setRun({ dependencyState: state });
      endIfUnmet(pass, snapshot.dependencies.filter(isUnmet));
      return true;
  }
}

/** Records which cannot come true; one that is not kept ends the run, also after others that are. */
function endIfUnmet(pass: RunPass, unmet: readonly DependencyRecord[]): void {
  const targets = [runTarget(pass.run)];
  for (const { name, on, outcome } of unmet) {
    const data = { run: name, on, outcome: outcome ?? 'failure' };
    pass.draft.event(recordEvent({ action: 'run.dependency_unmet', data, targets }));
  }
  if (unmet.some(({ keep }) => !keep)) pass.endRun('server_error');
}

const endingOf = ({ snapshot }: RunPass): DependencyRecord[] =>
  snapshot.dependencies.filter((one) => isUnmet(one) && !one.keep);
