import { capabilitiesOf, type IntentRecord } from '@dstack/core';
import type { Store } from '@dstack/store';

export interface EffectOwnerOptions {
  readonly store: Store;
  readonly hosts: { isElsewhere(hostId: string): Promise<boolean> };
}

/**
 * Whether an announced effect is this server's to carry out. What concerns a host is left to the
 * server that is linked to it; it is announced again to all when a link comes up.
 */
export function effectIsOurs({ store, hosts }: EffectOwnerOptions) {
  return async (key: string): Promise<boolean> => {
    if (!store.shared) return true;
    const intent = await store.engine.announcedIntent(key);
    const hostId = intent && (await hostOf(store, intent));
    return !hostId || !(await hosts.isElsewhere(hostId));
  };
}

async function hostOf(store: Store, { payload, subjectId }: IntentRecord): Promise<string | null> {
  if (payload.kind === 'job.remove') return payload.hostId;
  if (payload.kind.startsWith('job.')) {
    const instanceId = (await store.jobs.byId(subjectId))?.job.instanceId;
    return (instanceId && (await store.instances.byId(instanceId))?.instance.hostId) || null;
  }
  if (payload.kind.startsWith('volume.')) {
    return await hostOfVolume(store, 'volumeId' in payload ? payload : { volumeId: subjectId });
  }
  const instance = (await store.instances.byId(subjectId))?.instance;
  // Only the server that is linked to an SSH host can remove its agent.
  const isSsh = instance && capabilitiesOf(instance.backend).owner === 'user';
  return isSsh ? instance.id : null;
}

/** The host whose agent keeps the directory of the volume, as far as it is one. */
async function hostOfVolume(
  store: Store,
  { volumeId, instanceId }: { readonly volumeId: string; readonly instanceId?: string },
): Promise<string | null> {
  const volume = (await store.volumes.byId(volumeId))?.volume;
  if (!volume || capabilitiesOf(volume.backend).owner === 'provider') return null;
  if (volume.hostId !== null || instanceId === undefined) return volume.hostId;
  return (await store.instances.byId(instanceId))?.instance.hostId ?? null;
}
