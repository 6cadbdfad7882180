/** The common part of effects on volumes and their attachments. */
import { type Backend, BusyError, NoAnswerError, type VolumePort } from '@dstack/backends';
import {
  capabilitiesOf,
  configuredBackendName,
  type IntentKind,
  type IntentOf,
  type IntentRecord,
  type IntentResult,
  type Signal,
  type VolumeRecord,
} from '@dstack/core';
import type { Store } from '@dstack/store';
import type { EffectsOptions } from '../effects.ts';
import { NotNow } from '../not-now.ts';
import type { EffectHandler } from './descriptor.ts';

/** The parts that these effects use. */
export type VolumeEffects = Pick<EffectsOptions, 'serverId'> & {
  readonly store: Pick<Store, 'volumes' | 'instances' | 'engine'>;
  readonly backends: Pick<EffectsOptions['backends'], 'find'>;
  readonly hosts: EffectsOptions['hosts'];
};

export const ON_VOLUME = {
  subject: 'volume',
  queue: 'machine',
  hostOf: hostOfVolume,
  wakes: wakeVolume,
} as const;

export const ON_ATTACHMENT = {
  subject: 'attachment',
  queue: 'machine',
  hostOf: hostOfAttachment,
  wakes: wakeVolumeOfAttachment,
} as const;

export type AttachmentIntent = IntentOf<'volume.attach' | 'volume.detach'>;

/** Without an answer the effect is tried again; a host may be unreachable for days. */
export function untilAnswered<K extends IntentKind>(
  effect: (effects: VolumeEffects, intent: IntentOf<K>) => Promise<IntentResult>,
): EffectHandler<K> {
  return async (effects, intent) => {
    try {
      return await effect(effects, intent);
    } catch (error) {
      if (error instanceof NoAnswerError) throw new NotNow(error.message);
      throw error;
    }
  };
}

/** For effects whose refusal is final: a busy provider has not refused them. */
export function untilAccepted<K extends IntentKind>(
  effect: (effects: VolumeEffects, intent: IntentOf<K>) => Promise<IntentResult>,
): EffectHandler<K> {
  return untilAnswered(async (effects, intent) => {
    try {
      return await effect(effects, intent);
    } catch (error) {
      if (error instanceof BusyError) throw new NotNow(error.message);
      throw error;
    }
  });
}

export async function placeOf(
  { store }: VolumeEffects,
  { payload: { volumeId, instanceId } }: AttachmentIntent,
) {
  const volume = (await store.volumes.byId(volumeId))?.volume ?? null;
  const instance = (await store.instances.byId(instanceId))?.instance ?? null;
  return { volume, handle: volume?.handle ?? null, instance };
}

export async function volumePortOf(
  { backends }: VolumeEffects,
  { projectId, backend: name }: VolumeRecord,
): Promise<VolumePort | null> {
  const backend: Backend | null = await backends.find(projectId, name);
  return backend?.volumes ?? null;
}

export function unableText(verb: string, { backend }: VolumeRecord): string {
  return `This server cannot ${verb} volumes in backend ${configuredBackendName(backend)}`;
}

export function refused(message: string): IntentResult {
  return { kind: 'refused', reason: 'error', message };
}

/** The host whose agent keeps the directory of the volume; null for other volumes. */
async function hostOfVolume(store: Store, { subjectId }: IntentRecord): Promise<string | null> {
  const volume = (await store.volumes.byId(subjectId))?.volume;
  const isDirectory = volume && capabilitiesOf(volume.backend).owner !== 'provider';
  return isDirectory ? volume.hostId : null;
}

/** Its agent mounts directories on a shared file system, and unmounts devices before they are detached. */
async function hostOfAttachment(
  store: Store,
  { payload: { instanceId } }: AttachmentIntent,
): Promise<string | null> {
  return (await store.instances.byId(instanceId))?.instance.hostId ?? null;
}

async function wakeVolume(_: Store, { subjectId }: IntentRecord): Promise<Signal[]> {
  return [{ kind: 'volume', id: subjectId }];
}

async function wakeVolumeOfAttachment(_: Store, { payload }: IntentRecord): Promise<Signal[]> {
  return 'volumeId' in payload ? [{ kind: 'volume', id: payload.volumeId }] : [];
}
