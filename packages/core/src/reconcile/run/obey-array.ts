/** A member of an array does in its own pass what the array requires. */
import type { ArrayDirective, RunTerminationReason } from '../../model/index.ts';
import { isAbort, isRunAlive, isRunFinished, isRunWaiting } from '../../status/index.ts';
import type { RunPass } from './run-pass.ts';

export function obeyArray(pass: RunPass): void {
  const { directive } = pass.snapshot;
  const seen = pass.run.arraySeen ?? 0;
  if (directive === undefined || seen >= directive.generation) return;
  pass.setRun({ arraySeen: directive.generation });
  if (isRunFinished(pass.run.status)) return;
  const { wanted } = directive;
  if (wanted.end !== null) {
    end(pass, wanted.end);
    return;
  }
  if (wanted.prioritySince > seen) takePriority(pass, wanted);
  takeHold(pass, wanted);
}

/** Ends the member like a stop of its own: an abort replaces the reason of a stop. */
function end(pass: RunPass, reason: RunTerminationReason): void {
  if (isRunAlive(pass.run.status)) pass.endRun(reason);
  else if (isAbort(reason)) pass.setRun({ terminationReason: reason });
}

function takePriority(pass: RunPass, { priority }: ArrayDirective): void {
  const { run } = pass;
  if (run.priority === priority) return;
  const spec = { ...run.spec, configuration: { ...run.spec.configuration, priority } };
  pass.setRun({ priority, spec });
}

/** A release also releases members that were held one by one before it, not those held since. */
function takeHold(pass: RunPass, { hold, eligibleAt }: ArrayDirective): void {
  const { run } = pass;
  if (hold !== null) {
    // Those that run go on: an event that reports their release would be about a hold that never was.
    if (isRunWaiting(run.status)) pass.setRun({ hold });
    return;
  }
  if (run.hold === null || eligibleAt === null || eligibleAt < run.hold.since) return;
  pass.setRun({ hold: null, eligibleAt: eligibleAt + (run.arrayIndex ?? 0) });
}
