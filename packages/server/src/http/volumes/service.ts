/** Creates volumes, and deletes them as far as the API requests it. */
import { alreadyExists, notExists, ruleError } from '@dstack/contract/api';
import type { Volume, VolumeConfiguration } from '@dstack/contract/wire';
import { newEvent, prepareVolume, type VolumeRecord, volumeTarget } from '@dstack/core';
import type { ProjectRecord, UserRecord } from '@dstack/store';
import { wireVolume } from '../mapping/volume.ts';
import type { HttpDeps } from '../ports.ts';
import { randomName } from '../random-name.ts';
import { accepted } from '../spec-errors.ts';

/** `submitted`: its first pass decides what happens to it. */
export async function createVolume(
  deps: HttpDeps,
  project: ProjectRecord,
  configuration: VolumeConfiguration,
  user: UserRecord,
): Promise<Volume> {
  const { external } = accepted(prepareVolume(configuration));
  const { now, newId } = deps.context();
  const { name } = configuration;
  const outcome = await deps.store.volumes.insert(
    project.id,
    name === null ? { propose: randomName } : { exact: name },
    (certain) => {
      const volume: VolumeRecord = {
        id: newId(),
        projectId: project.id,
        userId: user.id,
        name: certain,
        backend: configuration.backend,
        configuration: { ...configuration, name: certain },
        external,
        status: 'submitted',
        statusMessage: null,
        provisioningData: null,
        createdAt: now,
        lastProcessedAt: now,
        lastJobProcessedAt: null,
        toBeDeleted: false,
        deleted: false,
        deletedAt: null,
        nextPassAt: now,
        version: 0,
      };
      const event = newEvent('Volume created. Status: SUBMITTED', [volumeTarget(volume)], user.id);
      return { volume, events: [event], signals: [{ kind: 'volume', id: volume.id }] };
    },
  );
  if (outcome.type === 'name-taken') throw alreadyExists(`Volume '${name}' exists already`);
  const view = await deps.store.volumes.byId(outcome.volume.id);
  if (view === null) throw notExists(`Volume '${outcome.volume.name}' not found`);
  return wireVolume(view, now);
}

/** Unknown names are ignored. Either all of them are unused, or none is deleted. */
export async function deleteVolumes(
  deps: HttpDeps,
  project: ProjectRecord,
  names: readonly string[],
  actor: UserRecord,
): Promise<void> {
  const found = await deps.store.volumes.byNames(project.id, names);
  for (const { volume, attachments } of found) {
    if (attachments.length > 0) throw inUse(volume.name);
  }
  for (const { volume } of found) await markForDeletion(deps, volume.id, actor);
}

async function markForDeletion(deps: HttpDeps, id: string, actor: UserRecord): Promise<void> {
  await deps.store.engine.updateVolume(id, ({ volume, attachments }) => {
    // Attached after the first check.
    if (attachments > 0) throw inUse(volume.name);
    if (volume.toBeDeleted || volume.deleted) return null;
    const { version } = volume;
    const event = newEvent('Volume marked for deletion', [volumeTarget(volume)], actor.id);
    const set = { toBeDeleted: true, nextPassAt: deps.context().now };
    return {
      changes: [
        { type: 'volume.update', id, version, set },
        { type: 'event', event },
      ],
      signals: [{ kind: 'volume', id }],
    };
  });
}

function inUse(name: string) {
  return ruleError(`Failed to delete volume ${name}. Volume is in use.`);
}
