import { isInstanceTerminated } from '@dstack/contract/status';
import type { IntentOf, IntentResult } from '@dstack/core';
import { NotNow } from '../not-now.ts';
import type { IntentDescriptor } from './descriptor.ts';
import {
  ON_ATTACHMENT,
  placeOf,
  refused,
  unableText,
  untilAnswered,
  type VolumeEffects,
  volumePortOf,
} from './on-volume.ts';

export const volumeDetach: IntentDescriptor<'volume.detach'> = {
  ...ON_ATTACHMENT,
  kind: 'volume.detach',
  /** Only by an attempt with force. */
  mayCancel: true,
  handle: untilAnswered(detach),
};

async function detach(
  effects: VolumeEffects,
  intent: IntentOf<'volume.detach'>,
): Promise<IntentResult> {
  const { volume, handle, instance } = await placeOf(effects, intent);
  // A missing instance has nothing attached.
  if (!volume || !handle || !instance?.handle || isInstanceTerminated(instance.status)) {
    return { kind: 'ok' };
  }
  const volumes = await volumePortOf(effects, volume);
  if (!volumes) return refused(unableText('detach', volume));
  const { force } = intent.payload;
  const outcome = await volumes.detach(handle, instance.handle, { force });
  if (outcome.state === 'detached') return { kind: 'ok' };
  throw new NotNow(outcome.state === 'pending' ? outcome.text : 'it is still attached');
}
