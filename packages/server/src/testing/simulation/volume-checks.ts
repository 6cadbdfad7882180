/** The invariants of volumes: those of moments without work, and those of the end of a story. */
import {
  isAttached,
  isAttaching,
  isDetaching,
  isVolumeActive,
  isVolumePassing,
  isVolumeSubmitted,
} from '@dstack/contract/status';
import {
  type AttachmentRecord,
  capabilitiesOf,
  type JobRecord,
  type VolumeRecord,
} from '@dstack/core';
import { Breach } from './breach.ts';
import { volumeNamesOf } from './job-script.ts';
import type { Scene } from './scene.ts';
import { VOLUMES_OF_USERS } from './sim-backends.ts';

const MINUTE = 60_000_000;

/**
 * The sweep finds what signals and alarms have missed within a minute; later than that is a fault.
 */
const OVERDUE = 1.25 * MINUTE;

/** Deadlines of passing statuses, and the sweep. */
const CREATION = 11.5 * MINUTE;
const PROVISIONING = 21.5 * MINUTE;
const ATTACHING = 6.5 * MINUTE;

/** A server that can open no connection learns this much later what another one has waited for. */
const LEARNED = 5 * MINUTE;

export async function checkVolumes(scene: Scene): Promise<void> {
  const views = await scene.store.volumes.list({ projectIds: null, onlyActive: true });
  for (const { volume, attachments } of views) {
    checkWait(scene, volume);
    for (const attachment of attachments) await checkAttachment(scene, volume, attachment);
  }
  await checkProvider(scene);
}

/** 1: each wait of a volume has an end. */
function checkWait({ now, steadySince, shortUntil }: Scene, volume: VolumeRecord): void {
  const { name, status, createdAt, statusChangedAt, nextPassAt } = volume;
  // A pass is due at once when the clock was set forward, and the sweep finds it.
  const overdue = now() - OVERDUE;
  if (nextPassAt !== null && nextPassAt < overdue && steadySince() < overdue) {
    throw new Breach(1, `volume ${name} (${status}) is overdue`);
  }
  if (!isVolumePassing(status) || volume.toBeDeleted) return;
  const since = Math.max(isVolumeSubmitted(status) ? createdAt : statusChangedAt, steadySince());
  const later = shortUntil() > since ? LEARNED : 0;
  const limit = (isVolumeSubmitted(status) ? CREATION : PROVISIONING) + later;
  if (nextPassAt === null || now() - since > limit) {
    throw new Breach(1, `volume ${name} has been ${status} for ${(now() - since) / 1_000_000} s`);
  }
}

/** 1: no attachment is in progress for ever, and no volume stays attached without a use. */
async function checkAttachment(
  { store, now, steadySince, shortUntil }: Scene,
  volume: VolumeRecord,
  { status, statusChangedAt, instanceId }: AttachmentRecord,
): Promise<void> {
  const what = `volume ${volume.name} (${status})`;
  const since = Math.max(statusChangedAt, steadySince());
  const later = shortUntil() > since ? LEARNED : 0;
  if (isAttaching(status) && now() - since > ATTACHING + later) {
    throw new Breach(1, `${what} is not attached in time`);
  }
  if (isDetaching(status)) return;
  const uses = await store.volumes.uses([volume.id]);
  const isNeeded = uses.some(
    ({ job, releasedAt }) => job.instanceId === instanceId && releasedAt === null,
  );
  if (!isNeeded) throw new Breach(1, `${what} is at an instance that does not need it`);
}

/** Whether the provider has lost a volume that the job mounts: it can never run. */
export async function hasLostVolume({ store, world }: Scene, job: JobRecord): Promise<boolean> {
  const names = volumeNamesOf(job.spec).flat();
  const known = world.provider.tables.volumes.all();
  const found = await store.volumes.byNames(job.projectId, names);
  return found.some(
    ({ volume: { backend, handle } }) =>
      capabilitiesOf(backend).owner === 'provider' && !known.some(({ id }) => id === handle?.id),
  );
}

/** 9: every resource at the provider has a row. */
async function checkProvider({ store, world }: Scene): Promise<void> {
  const { volumes, attachments, machines } = world.provider.tables;
  const rows = await store.volumes.list({ projectIds: null, onlyActive: true });
  for (const { id, owner, key } of volumes.all()) {
    const [, rowId] = key?.split(':') ?? [];
    if (owner === null || rows.some(({ volume }) => volume.id === rowId)) continue;
    throw new Breach(9, `volume ${id} at the provider has no row`);
  }
  for (const { volume, machine } of attachments.all()) {
    const instanceId = machines.get(machine)?.order.instanceId;
    const isKnown = rows.some(
      (row) =>
        row.volume.handle?.id === volume &&
        row.attachments.some((one) => one.instanceId === instanceId),
    );
    if (!isKnown) throw new Breach(9, `volume ${volume} is attached to ${machine} without a row`);
  }
}

/**
 * 1: with everything healthy, volumes are attached where they are needed, and deleted if that was
 * requested.
 */
export async function checkVolumesAtRest({ store }: Scene): Promise<void> {
  const views = await store.volumes.list({ projectIds: null, onlyActive: true });
  for (const { volume, attachments } of views) {
    const { name, status, toBeDeleted } = volume;
    if (toBeDeleted) throw new Breach(1, `volume ${name} is not deleted (${volume.statusMessage})`);
    if (isVolumePassing(status)) throw new Breach(1, `volume ${name} is still ${status}`);
    const left = attachments.find((one) => !isAttached(one.status));
    if (left) throw new Breach(1, `volume ${name} is still ${left.status}`);
    if (isVolumeActive(status) && volume.handle === null) {
      throw new Breach(9, `volume ${name} is active and nowhere`);
    }
  }
}

/** 9: nothing of ours is left, and all volumes of the users. */
export async function checkNoVolumesLeft({ store, world }: Scene): Promise<void> {
  const [row] = await store.volumes.list({ projectIds: null, onlyActive: true });
  if (row) {
    const { name, status, statusMessage } = row.volume;
    throw new Breach(9, `volume ${name} is not deleted: ${status} (${statusMessage})`);
  }
  const { volumes, attachments } = world.provider.tables;
  const left = volumes.all().filter(({ owner }) => owner !== null);
  if (left.length + attachments.size > 0) {
    throw new Breach(9, `${left.length} volumes and ${attachments.size} attachments are left`);
  }
  const missing = VOLUMES_OF_USERS.find((id) => !volumes.get(id) && !world.deletedByUsers.has(id));
  if (missing) throw new Breach(9, `volume ${missing} of a user was deleted`);
  for (const disk of world.disks) {
    const { volumes: ids, leftovers } = disk;
    const [first] = [...ids, ...leftovers];
    if (first && !(await isKnownAsLost({ store }, first))) {
      throw new Breach(9, `the directory of volume ${first} is left`);
    }
  }
}

/** Its host has left the fleet unreachable; an event names the data that are left there. */
async function isKnownAsLost({ store }: Pick<Scene, 'store'>, id: string): Promise<boolean> {
  const page = { limit: 1_000_000, ascending: true } as const;
  const events = await store.events.list({ visibleTo: null, page });
  return events.some(
    ({ targets, message }) =>
      message.includes('may still exist') && targets.some((target) => target.id === id),
  );
}
