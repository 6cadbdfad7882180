import { isAttaching } from '@dstack/contract/status';
import type { IntentOf, IntentResult } from '@dstack/core';
import { NotNow } from '../not-now.ts';
import type { IntentDescriptor } from './descriptor.ts';
import {
  ON_ATTACHMENT,
  placeOf,
  refused,
  unableText,
  untilAccepted,
  type VolumeEffects,
  volumePortOf,
} from './on-volume.ts';

export const volumeAttach: IntentDescriptor<'volume.attach'> = {
  ...ON_ATTACHMENT,
  kind: 'volume.attach',
  mayCancel: false,
  handle: untilAccepted(attach),
};

async function attach(
  effects: VolumeEffects,
  intent: IntentOf<'volume.attach'>,
): Promise<IntentResult> {
  const attachment = await effects.store.volumes.attachment(intent.subjectId);
  if (!attachment || !isAttaching(attachment.status)) return refused('it is not wanted any more');
  const { volume, handle, instance } = await placeOf(effects, intent);
  if (!volume || !handle || !instance?.handle) return refused('volume or instance do not exist');
  const volumes = await volumePortOf(effects, volume);
  if (!volumes) return refused(unableText('attach', volume));
  const outcome = await volumes.attach(handle, instance.handle);
  if (outcome.state === 'attached') return { kind: 'volume.attached', device: outcome.device };
  throw new NotNow(outcome.state === 'pending' ? outcome.text : 'it is not attached yet');
}
