import { isVolumeFailed } from '@dstack/contract/status';
import { externalIdOf, type IntentOf, type IntentResult, type VolumeRecord } from '@dstack/core';
import type { IntentDescriptor } from './descriptor.ts';
import {
  ON_VOLUME,
  refused,
  unableText,
  untilAccepted,
  type VolumeEffects,
  volumePortOf,
} from './on-volume.ts';

export const volumeRegister: IntentDescriptor<'volume.register'> = {
  ...ON_VOLUME,
  kind: 'volume.register',
  mayCancel: false,
  handle: untilAccepted(register),
};

async function register(
  effects: VolumeEffects,
  { subjectId, payload }: IntentOf<'volume.register'>,
): Promise<IntentResult> {
  const volume = (await effects.store.volumes.byId(subjectId))?.volume;
  if (!volume || volume.deleted || volume.toBeDeleted) return refused('the volume was deleted');
  const volumes = await volumePortOf(effects, volume);
  if (!volumes) return refused(unableText('register', volume));
  const { externalId } = payload;
  const rival = await earlierVolume(effects, volume, externalId);
  if (rival) {
    const message = `Volume ${rival.name} of this project is ${externalId} already; use it, or delete it first`;
    return refused(message);
  }
  const handle = await volumes.register(externalId, { region: regionOf(volume) });
  return { kind: 'volume.created', handle };
}

/**
 * A volume of the project that is the same at the provider. Each of the two would be attached and
 * detached without regard to the jobs of the other.
 */
async function earlierVolume(
  { store }: VolumeEffects,
  volume: VolumeRecord,
  externalId: string,
): Promise<VolumeRecord | null> {
  const { id, projectId, backend } = volume;
  const views = await store.volumes.list({ projectIds: [projectId], onlyActive: true });
  const same = views.find(
    ({ volume: other }) =>
      other.id !== id &&
      other.backend === backend &&
      regionOf(other) === regionOf(volume) &&
      (other.handle?.id ?? externalIdOf(other.configuration).id) === externalId &&
      !isVolumeFailed(other.status) &&
      isEarlier(other, volume),
  );
  return same?.volume ?? null;
}

/** Orders two registrations by time; the id decides between two of the same moment. */
function isEarlier(a: VolumeRecord, b: VolumeRecord): boolean {
  return a.createdAt === b.createdAt ? a.id < b.id : a.createdAt < b.createdAt;
}

const regionOf = ({ configuration }: VolumeRecord): string =>
  ('region' in configuration && configuration.region) || '';
