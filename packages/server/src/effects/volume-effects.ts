import { type Backend, NoAnswerError, type VolumeOrder, type Volumes } from '@dstack/backends';
import {
  BACKEND_MISSING,
  capabilitiesOf,
  configuredBackendName,
  type IntentRecord,
  type IntentResult,
  isAttaching,
  isInstanceTerminated,
  type VolumeIntentPayload,
  type VolumeRecord,
} from '@dstack/core';
import type { Store, VolumeView } from '@dstack/store';
import type { ProjectBackends } from '../offers/project-backends.ts';
import { NotNow } from './not-now.ts';

export interface VolumeEffectsOptions {
  readonly store: Pick<Store, 'volumes' | 'instances' | 'engine'>;
  readonly backends: Pick<ProjectBackends, 'find'>;
  readonly serverId: string;
}

type PayloadOf<K extends VolumeIntentPayload['kind']> = Extract<VolumeIntentPayload, { kind: K }>;

/** Carries out what was announced for volumes and their attachments. Each may be repeated. */
export async function volumeEffect(
  options: VolumeEffectsOptions,
  intent: IntentRecord,
  payload: VolumeIntentPayload,
): Promise<IntentResult> {
  try {
    switch (payload.kind) {
      case 'volume.create':
        return await create(options, intent, payload);
      case 'volume.register':
        return await register(options, intent, payload);
      case 'volume.delete':
        return await remove(options, intent);
      case 'volume.attach':
        return await attach(options, intent, payload);
      case 'volume.detach':
        return await detach(options, payload);
    }
  } catch (error) {
    if (error instanceof NoAnswerError) throw new NotNow(error.message, { cause: error });
    throw error;
  }
}

async function create(
  options: VolumeEffectsOptions,
  intent: IntentRecord,
  payload: PayloadOf<'volume.create'>,
): Promise<IntentResult> {
  const { store } = options;
  const view = await store.volumes.byId(intent.subjectId);
  const isUnwanted = !view || view.volume.deleted || view.volume.toBeDeleted;
  if (isUnwanted && !payload.begun) return refused('the volume was deleted before it was created');
  if (!view) return refused('the volume was deleted');
  const volumes = await volumesOf(options, view.volume);
  if (!volumes) return refused(unableText('create', view.volume));
  if (!payload.begun) {
    const isOrdered = await store.engine.amendIntent(intent.key, { ...payload, begun: true });
    if (!isOrdered) throw new NotNow('the order was withdrawn');
  }
  const handle = await volumes.create(orderOf(options, intent.key, view, payload));
  return { kind: 'volume.created', handle };
}

function orderOf(
  { serverId }: VolumeEffectsOptions,
  key: string,
  { volume, projectName }: VolumeView,
  { path }: PayloadOf<'volume.create'>,
): VolumeOrder {
  const { configuration, hostId, fleetId } = volume;
  const isOnHosts = capabilitiesOf(volume.backend).owner !== 'provider';
  return {
    ...{ key, volumeId: volume.id, name: volume.name },
    owner: { server: serverId, project: projectName },
    region: ('region' in configuration && configuration.region) || '',
    availabilityZone:
      ('availability_zone' in configuration && configuration.availability_zone) || null,
    sizeGib: 'size' in configuration ? configuration.size : null,
    tags: configuration.tags ?? {},
    directory: isOnHosts ? { hostId, fleetId, path } : null,
  };
}

async function register(
  options: VolumeEffectsOptions,
  intent: IntentRecord,
  { externalId }: PayloadOf<'volume.register'>,
): Promise<IntentResult> {
  const volume = (await options.store.volumes.byId(intent.subjectId))?.volume;
  if (!volume || volume.deleted || volume.toBeDeleted) return refused('the volume was deleted');
  const volumes = await volumesOf(options, volume);
  if (!volumes) return refused(unableText('register', volume));
  const { configuration } = volume;
  const region = ('region' in configuration && configuration.region) || '';
  return { kind: 'volume.created', handle: await volumes.register(externalId, { region }) };
}

async function remove(options: VolumeEffectsOptions, intent: IntentRecord): Promise<IntentResult> {
  const volume = (await options.store.volumes.byId(intent.subjectId))?.volume;
  if (!volume?.handle || volume.external) return { kind: 'ok' };
  const volumes = await volumesOf(options, volume);
  if (!volumes) {
    const message = `backend ${configuredBackendName(volume.backend)} is not configured any more`;
    return { kind: 'refused', reason: BACKEND_MISSING, message };
  }
  const outcome = await volumes.delete(volume.handle);
  if (outcome === 'deleting') throw new NotNow('the volume is being deleted');
  return { kind: 'ok' };
}

async function attach(
  options: VolumeEffectsOptions,
  intent: IntentRecord,
  payload: PayloadOf<'volume.attach'>,
): Promise<IntentResult> {
  const { store } = options;
  const attachment = await store.volumes.attachment(intent.subjectId);
  if (!attachment || !isAttaching(attachment.status)) return refused('it is not wanted any more');
  const { volume, handle, instance } = await placeOf(options, payload);
  if (!volume || !handle || !instance?.handle) return refused('volume or instance do not exist');
  const volumes = await volumesOf(options, volume);
  if (!volumes) return refused(unableText('attach', volume));
  const outcome = await volumes.attach(handle, instance.handle);
  if (outcome.state === 'attached') return { kind: 'volume.attached', device: outcome.device };
  throw new NotNow(outcome.state === 'pending' ? outcome.text : 'it is not attached yet');
}

async function detach(
  options: VolumeEffectsOptions,
  payload: PayloadOf<'volume.detach'>,
): Promise<IntentResult> {
  const { volume, handle, instance } = await placeOf(options, payload);
  // What is not there has nothing attached.
  if (!volume || !handle || !instance?.handle || isInstanceTerminated(instance.status)) {
    return { kind: 'ok' };
  }
  const volumes = await volumesOf(options, volume);
  if (!volumes) return refused(unableText('detach', volume));
  const { force } = payload;
  const outcome = await volumes.detach(handle, instance.handle, { force });
  if (outcome.state === 'detached') return { kind: 'ok' };
  throw new NotNow(outcome.state === 'pending' ? outcome.text : 'it is still attached');
}

async function placeOf(
  { store }: VolumeEffectsOptions,
  { volumeId, instanceId }: PayloadOf<'volume.attach' | 'volume.detach'>,
) {
  const volume = (await store.volumes.byId(volumeId))?.volume ?? null;
  const instance = (await store.instances.byId(instanceId))?.instance ?? null;
  return { volume, handle: volume?.handle ?? null, instance };
}

async function volumesOf(
  { backends }: Pick<VolumeEffectsOptions, 'backends'>,
  { projectId, backend: name }: VolumeRecord,
): Promise<Volumes | null> {
  const backend: Backend | null = await backends.find(projectId, name);
  return backend?.volumes ?? null;
}

function unableText(verb: string, { backend }: VolumeRecord): string {
  return `This server cannot ${verb} volumes in backend ${configuredBackendName(backend)}`;
}

function refused(message: string): IntentResult {
  return { kind: 'refused', reason: 'error', message };
}
