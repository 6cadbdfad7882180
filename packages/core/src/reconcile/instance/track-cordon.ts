/** The end of a cordon that has one. */
import { endCordon } from '../../instances/index.ts';
import type { InstancePass } from './instance-pass.ts';

export function trackCordon(pass: InstancePass): void {
  const until = pass.instance.scheduling?.until ?? null;
  if (until === null) return;
  if (pass.now >= until) endCordon(pass.draft, pass.instance);
  else pass.draft.dueAt(until);
}
