import {
  type ClaimOptions,
  type ListedVolume,
  NoAnswerError,
  type VolumeOrder,
  type VolumePort,
} from '@dstack/backends';
import { errorMessage } from '@dstack/contract/error-message';
import { capabilitiesOf, type IntentOf, type VolumeHandle } from '@dstack/core';
import type { VolumeView } from '@dstack/store';
import { NotNow } from '../not-now.ts';
import type { IntentDescriptor } from './descriptor.ts';
import {
  ON_VOLUME,
  refused,
  unableText,
  untilAccepted,
  type VolumeEffects,
  volumePortOf,
} from './on-volume.ts';

export const volumeCreate: IntentDescriptor<'volume.create'> = {
  ...ON_VOLUME,
  kind: 'volume.create',
  /** Its result may be the only record of a volume that costs money. */
  mayCancel: false,
  handle: untilAccepted(create),
};

async function create(effects: VolumeEffects, intent: IntentOf<'volume.create'>) {
  const { store } = effects;
  const { payload } = intent;
  const view = await store.volumes.byId(intent.subjectId);
  const isUnwanted = !view || view.volume.deleted || view.volume.toBeDeleted;
  if (isUnwanted && !payload.begun) return refused('the volume was deleted before it was created');
  if (!view) return refused('the volume was deleted');
  const volumes = await volumePortOf(effects, view.volume);
  if (!volumes) return refused(unableText('create', view.volume));
  if (!payload.begun) {
    const isOrdered = await store.engine.amendIntent(intent.key, { ...payload, begun: true });
    if (!isOrdered) throw new NotNow('the order was withdrawn');
  }
  const handle = await createdBy(volumes, orderOf(effects, intent, view));
  return { kind: 'volume.created', handle } as const;
}

/**
 * After an attempt whose answer was lost a refusal may be about the present
 * one only, and the volume of the earlier one would cost money without a record.
 */
async function createdBy(volumes: VolumePort, order: VolumeOrder): Promise<VolumeHandle> {
  try {
    return await volumes.create(order);
  } catch (error) {
    if (!order.mayExist || error instanceof NoAnswerError) throw error;
    const found = (await listed(volumes, order)).find(({ key }) => key === order.key);
    if (found) return found.handle;
    throw error;
  }
}

async function listed(
  volumes: VolumePort,
  { owner }: VolumeOrder,
): Promise<readonly ListedVolume[]> {
  try {
    return await volumes.list(owner);
  } catch (error) {
    throw new NotNow(errorMessage(error));
  }
}

function orderOf(
  { serverId }: VolumeEffects,
  { key, payload: { path, begun } }: IntentOf<'volume.create'>,
  { volume, projectName }: VolumeView,
): VolumeOrder {
  const { configuration, hostId, fleetId } = volume;
  const isOnHosts = capabilitiesOf(volume.backend).owner !== 'provider';
  return {
    ...{ key, volumeId: volume.id, name: volume.name },
    owner: { server: serverId, project: projectName, fleet: '', instance: volume.name },
    region: ('region' in configuration && configuration.region) || '',
    availabilityZone:
      ('availability_zone' in configuration && configuration.availability_zone) || null,
    sizeGib: 'size' in configuration ? configuration.size : null,
    tags: configuration.tags ?? {},
    mayExist: begun,
    claim: isOnHosts ? null : claimOf(configuration),
    directory: isOnHosts ? { hostId, fleetId, path } : null,
  };
}

/** Null: the volume is no claim in a cluster. */
function claimOf(configuration: VolumeView['volume']['configuration']): ClaimOptions | null {
  if (!('access_modes' in configuration)) return null;
  const { access_modes: accessModes, storage_class_name: storageClass } = configuration;
  return { accessModes, storageClass };
}
