import { errorMessage } from '@dstack/contract/error-message';
import { isInstanceTerminated } from '@dstack/contract/status';
import type { InstanceRecord, IntentOf, IntentResult } from '@dstack/core';
import { AgentRefusal } from '../../hosts/agent-client.ts';
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
  /** Only an attempt with force cancels it. */
  mayCancel: true,
  handle: untilAnswered(detach),
};

/** Unmounts the volume on its host: data may be lost if a device is detached while it is mounted. */
async function unmount(
  { store, hosts }: VolumeEffects,
  { subjectId, payload: { volumeId } }: IntentOf<'volume.detach'>,
  { hostId }: InstanceRecord,
): Promise<void> {
  const attachment = await store.volumes.attachment(subjectId);
  const device = attachment?.attachmentData?.device_name;
  if (!device || hostId === null) return;
  const agent = hosts.client(hostId);
  if (!agent) throw new NotNow(`no link to host ${hostId}, which may still use the volume`);
  try {
    await agent.unmountVolume(volumeId, { device });
  } catch (error) {
    if (error instanceof AgentRefusal && error.status === 404) return;
    throw new NotNow(errorMessage(error));
  }
}

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
  if (!force) await unmount(effects, intent, instance);
  const outcome = await volumes.detach(handle, instance.handle, { force });
  if (outcome.state === 'detached') return { kind: 'ok' };
  throw new NotNow(outcome.state === 'pending' ? outcome.text : 'it is still attached');
}
