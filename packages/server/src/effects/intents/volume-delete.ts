import {
  BACKEND_MISSING,
  configuredBackendName,
  type IntentOf,
  type IntentResult,
} from '@dstack/core';
import { NotNow } from '../not-now.ts';
import type { IntentDescriptor } from './descriptor.ts';
import { ON_VOLUME, untilAnswered, type VolumeEffects, volumePortOf } from './on-volume.ts';

export const volumeDelete: IntentDescriptor<'volume.delete'> = {
  ...ON_VOLUME,
  kind: 'volume.delete',
  mayCancel: false,
  handle: untilAnswered(remove),
};

/** Never a volume of the user. */
async function remove(
  effects: VolumeEffects,
  { subjectId }: IntentOf<'volume.delete'>,
): Promise<IntentResult> {
  const volume = (await effects.store.volumes.byId(subjectId))?.volume;
  if (!volume?.handle || volume.external) return { kind: 'ok' };
  const volumes = await volumePortOf(effects, volume);
  if (!volumes) {
    const message = `backend ${configuredBackendName(volume.backend)} is not configured any more`;
    return { kind: 'refused', reason: BACKEND_MISSING, message };
  }
  const outcome = await volumes.delete(volume.handle);
  if (outcome === 'deleting') throw new NotNow('the volume is being deleted');
  return { kind: 'ok' };
}
