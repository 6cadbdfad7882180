/** Creates volumes, and deletes them as far as the API requests it. */
import { hostVolumePlace, SERVER_HOST_PLACE } from '@dstack/contract';
import { alreadyExists, notExists, ruleError } from '@dstack/contract/api';
import type { Volume, VolumeConfiguration } from '@dstack/contract/wire';
import {
  type PreparedVolume,
  prepareVolume,
  recordEvent,
  type VolumeRecord,
  type VolumeSnapshot,
  volumeTarget,
} from '@dstack/core';
import type { ProjectRecord, UserRecord } from '@dstack/store';
import { actorOf } from '../event-actor.ts';
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
  const { external, backend, fleetId } = await preparedVolume(deps, project, configuration);
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
        backend,
        configuration: { ...configuration, name: certain },
        external,
        status: 'submitted',
        statusMessage: null,
        handle: null,
        provisioningData: null,
        fleetId,
        hostId: null,
        shared: false,
        statusChangedAt: now,
        createdAt: now,
        lastProcessedAt: now,
        lastJobProcessedAt: null,
        toBeDeleted: false,
        deleted: false,
        deletedAt: null,
        nextPassAt: now,
        version: 0,
      };
      const event = recordEvent({
        action: 'volume.created',
        data: { status: volume.status },
        ...{ targets: [volumeTarget(volume)], actor: actorOf(user) },
      });
      return { volume, events: [event], signals: [{ kind: 'volume', id: volume.id }] };
    },
  );
  if (outcome.type === 'name-taken') throw alreadyExists(`Volume '${name}' exists already`);
  const view = await deps.store.volumes.byId(outcome.volume.id);
  if (view === null) throw notExists(`Volume '${outcome.volume.name}' not found`);
  return wireVolume(view, now);
}

async function preparedVolume(
  deps: HttpDeps,
  project: ProjectRecord,
  configuration: VolumeConfiguration,
): Promise<PreparedVolume> {
  const place = hostVolumePlace(configuration);
  const isOnFleet = place !== null && place !== SERVER_HOST_PLACE;
  const fleet = isOnFleet ? await deps.store.fleets.byName(project.id, place) : null;
  const { localOff } = await deps.backends.state(project.id);
  return accepted(
    prepareVolume(configuration, { fleetNamed: () => fleet?.fleet ?? null, localOff }),
  );
}

/** Unknown names are ignored. Either all of them are unused, or none is deleted. */
export async function deleteVolumes(
  deps: HttpDeps,
  project: ProjectRecord,
  names: readonly string[],
  actor: UserRecord,
): Promise<void> {
  const found = await deps.store.volumes.byNames(project.id, names);
  const uses = await deps.store.volumes.uses(found.map(({ volume }) => volume.id));
  for (const { volume, attachments } of found) {
    const own = uses.filter(({ volumeId }) => volumeId === volume.id);
    checkUnused({ volume, attachments, uses: own });
  }
  for (const { volume } of found) await markForDeletion(deps, volume.id, actor);
}

async function markForDeletion(deps: HttpDeps, id: string, actor: UserRecord): Promise<void> {
  await deps.store.engine.updateVolume(id, (snapshot) => {
    const { volume } = snapshot;
    // Used since the first check.
    checkUnused(snapshot);
    if (volume.toBeDeleted || volume.deleted) return null;
    const { version } = volume;
    const event = recordEvent({
      action: 'volume.deletion_requested',
      data: { by: 'user' },
      ...{ targets: [volumeTarget(volume)], actor: actorOf(actor) },
    });
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

/** A volume and the runs that mount it belong to one project, so a user who may delete it may see them. */
function checkUnused({
  volume,
  attachments,
  uses,
}: Pick<VolumeSnapshot, 'volume' | 'uses'> & { readonly attachments: readonly unknown[] }): void {
  const runs = [...new Set(uses.map(({ runName }) => runName))];
  if (runs.length === 0 && attachments.length === 0) return;
  const by = runs.length === 0 ? '' : ` by ${runs.length === 1 ? 'run' : 'runs'} ${namesOf(runs)}`;
  throw ruleError(`Failed to delete volume ${volume.name}. Volume is in use${by}.`);
}

const RUNS_NAMED = 5;

function namesOf(runs: readonly string[]): string {
  const more = runs.length - RUNS_NAMED;
  return `${runs.slice(0, RUNS_NAMED).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
