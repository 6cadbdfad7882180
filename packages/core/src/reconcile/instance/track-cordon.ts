/** The end of a cordon that has one, and the end of a drain. */
import { instanceTarget } from '../../events/events.ts';
import { recordEvent } from '../../events/record-event.ts';
import { endCordon } from '../../instances/index.ts';
import type { InstancePass } from './instance-pass.ts';

export function trackCordon(pass: InstancePass): void {
  const { scheduling } = pass.instance;
  if (scheduling === null) return;
  const { state, until, drainedAt } = scheduling;
  if (state === 'draining' && !pass.hasJobs && drainedAt === undefined) {
    const drained = pass.set({ scheduling: { ...scheduling, drainedAt: pass.now } });
    pass.draft.event(
      recordEvent({ action: 'instance.drained', targets: [instanceTarget(drained)] }),
    );
  }
  if (until === null) return;
  if (pass.now >= until) endCordon(pass.draft, pass.instance);
  else pass.draft.dueAt(until);
}
