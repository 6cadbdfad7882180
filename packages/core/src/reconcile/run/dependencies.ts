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
  if (run.dependencyState !== 'open') return run.dependencyState === 'unmet';
  const state = dependencyState(snapshot.dependencies);
  const targets = [runTarget(run)];
  switch (state) {
    case 'open':
      return true;
    case 'met':
      pass.setRun({ dependencyState: state, eligibleAt: pass.now });
      pass.draft.event(recordEvent({ action: 'run.dependencies_met', targets }));
      return false;
    case 'unmet':
      pass.setRun({ dependencyState: state });
      for (const { name, on, outcome } of unmet(pass)) {
        const data = { run: name, on, outcome: outcome ?? 'failure' };
        pass.draft.event(recordEvent({ action: 'run.dependency_unmet', data, targets }));
      }
      if (!unmet(pass).every(({ keep }) => keep)) pass.endRun('server_error');
      return true;
  }
}

const unmet = ({ snapshot }: RunPass): DependencyRecord[] => snapshot.dependencies.filter(isUnmet);
