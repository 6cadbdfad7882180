import type { IntentOf, IntentResult } from '@dstack/core';
import type { IntentDescriptor } from './descriptor.ts';
import {
  ON_VOLUME,
  refused,
  unableText,
  untilAnswered,
  type VolumeEffects,
  volumePortOf,
} from './on-volume.ts';

export const volumeRegister: IntentDescriptor<'volume.register'> = {
  ...ON_VOLUME,
  kind: 'volume.register',
  mayCancel: false,
  handle: untilAnswered(register),
};

async function register(
  effects: VolumeEffects,
  { subjectId, payload }: IntentOf<'volume.register'>,
): Promise<IntentResult> {
  const volume = (await effects.store.volumes.byId(subjectId))?.volume;
  if (!volume || volume.deleted || volume.toBeDeleted) return refused('the volume was deleted');
  const volumes = await volumePortOf(effects, volume);
  if (!volumes) return refused(unableText('register', volume));
  const { configuration } = volume;
  const region = ('region' in configuration && configuration.region) || '';
  const handle = await volumes.register(payload.externalId, { region });
  return { kind: 'volume.created', handle };
}
