/** Instances that end without an order: interrupted by their provider, failed, or missing. */

import { isServerHost } from '../../capabilities/capabilities.ts';
import { MISSING_TOLERANCE } from '../../instances/index.ts';
import { silenceDeadline } from '../../time/silence.ts';
import type { InstancePass } from './instance-pass.ts';

const ENDINGS = {
  spot: 'interrupted',
  memory: 'out_of_memory',
  failed: 'error',
  refused: 'error',
  'no-room': 'no_offers',
} as const;

/** Ends an instance that its backend has lost. Returns whether it was ended. */
export function followLoss(pass: InstancePass): boolean {
  if (pass.observation === null) {
    // Its backend has not been asked yet, or the server crashed before the first answer.
    if (!isServerHost(pass.instance.backend)) pass.draft.signal('observation', pass.instance.id);
    return false;
  }
  const { observation, since, error } = pass.observation;
  if (observation.state === 'interrupted') {
    // A machine that has worked so far is kept, whatever its agent reports now.
    if (observation.reason === 'refused' && pass.instance.startedAt !== null) return false;
    pass.giveUp(ENDINGS[observation.reason], observation.text);
    return true;
  }
  // One answer may be wrong: the last question has to confirm it.
  if (observation.state !== 'missing' || error !== null) return false;
  const until = silenceDeadline(pass.ctx, since, MISSING_TOLERANCE);
  if (pass.now < until) {
    pass.draft.dueAt(until);
    return false;
  }
  const { backend } = pass.instance;
  pass.giveUp('interrupted', `Backend ${backend} no longer has the machine`);
  return true;
}
