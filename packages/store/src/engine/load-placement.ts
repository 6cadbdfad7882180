import type {
  CapacityHints,
  CapacitySnapshot,
  FleetRecord,
  Gang,
  Id,
  LocalState,
  MountableVolume,
  PlacementSnapshot,
} from '@dstack/core';
import type { Tx } from '../context.ts';
import { instancesOfFleets } from '../instances/instances-of-fleets.ts';
import { forIds, notDeleted } from '../query.ts';
import type { RecordCache } from '../record-cache.ts';
import { fleetTable } from '../schema/work-tables.ts';
import { mountableVolumes, mountsVolumes } from '../volumes/uses.ts';
import { loadQueue, loadRivals, sharedFleets, waitingProjects } from './load-queue.ts';
import { localUse } from './local-use.ts';

/**
 * The queue of a project and all capacity that it may use; unchanged records come from the cache.
 * Null: the project does not exist, or nothing waits in it.
 */
export async function loadPlacement(
  tx: Tx,
  records: RecordCache,
  projectId: Id,
  hints: CapacityHints,
): Promise<PlacementSnapshot | null> {
  const project = await tx
    .selectFrom('projects')
    .select('name')
    .where('id', '=', projectId)
    .executeTakeFirst();
  if (!project) return null;
  const queue = await loadQueue(tx, records, projectId);
  if (queue.gangs.length === 0) return null;
  const capacity = await loadMachines(tx, records, projectId, hints);
  const fleetIds = capacity.fleets.map((fleet) => fleet.id);
  const rivals = await loadRivals(tx, records, projectId, fleetIds);
  return {
    projectId,
    projectName: project.name,
    ...queue,
    rivals,
    ...capacity,
    volumes: await volumesOfGangs(tx, [...queue.gangs, ...rivals.map(({ gang }) => gang)]),
    hasPolledBackends: hints.hasPolledBackends,
  };
}

/** Volumes of the projects whose gangs mount some. */
export async function volumesOfGangs(tx: Tx, gangs: readonly Gang[]): Promise<MountableVolume[]> {
  const mounting = gangs.filter(({ run }) => mountsVolumes(run.spec));
  return await mountableVolumes(tx, [...new Set(mounting.map(({ run }) => run.projectId))]);
}

export async function loadCapacity(
  tx: Tx,
  records: RecordCache,
  projectId: Id,
  hints: Pick<CapacityHints, 'offersOnly'>,
): Promise<CapacitySnapshot & LocalState> {
  const machines = await loadMachines(tx, records, projectId, hints);
  return { ...machines, volumes: await mountableVolumes(tx, [projectId]) };
}

async function loadMachines(
  tx: Tx,
  records: RecordCache,
  projectId: Id,
  { offersOnly }: Pick<CapacityHints, 'offersOnly'>,
): Promise<Omit<CapacitySnapshot, 'volumes'> & LocalState> {
  const fleets = await loadFleets(tx, records, projectId);
  return {
    fleets,
    instances: await instancesOfFleets(
      tx,
      records,
      fleets.map((fleet) => fleet.id),
    ),
    projectNames: await loadProjectNames(tx, [
      projectId,
      ...fleets.map((fleet) => fleet.projectId),
    ]),
    ...(await localUse(tx, records)),
    offersOnly,
  };
}

/** See `EngineStore.waitingFor`. */
export async function waitingFor(tx: Tx, records: RecordCache, capacity: string): Promise<Id[]> {
  const [kind, id = ''] = capacity.split(':');
  switch (kind) {
    case 'fleet': {
      const users = await sharedFleets(tx, '', [id]);
      return await waitingProjects(
        tx,
        users.map((user) => user.project_id),
      );
    }
    case 'project':
      return await waitingProjects(tx, [id, ...(await projectsSharingWith(tx, records, id))]);
    case 'others':
      return await waitingProjects(tx, await projectsSharingWith(tx, records, id));
    default:
      return await waitingProjects(tx, null);
  }
}

/** The other projects that may use fleets which this project may use. */
async function projectsSharingWith(tx: Tx, records: RecordCache, id: Id): Promise<Id[]> {
  const fleets = await loadFleets(tx, records, id);
  const others = await sharedFleets(
    tx,
    id,
    fleets.map((fleet) => fleet.id),
  );
  return others.map((other) => other.project_id);
}

async function loadFleets(tx: Tx, records: RecordCache, projectId: Id): Promise<FleetRecord[]> {
  const keys = await tx
    .selectFrom('fleets')
    .select(['id', 'version'])
    .where(notDeleted('deleted'))
    .where(({ or, eb }) =>
      or([
        eb('project_id', '=', projectId),
        eb(
          'id',
          'in',
          tx
            .selectFrom('imports as i')
            .innerJoin('exported_fleets as ef', 'ef.export_id', 'i.export_id')
            .select('ef.fleet_id')
            .where('i.project_id', '=', projectId),
        ),
      ]),
    )
    .orderBy('created_at')
    .orderBy('id')
    .execute();
  return records.read(tx, fleetTable, keys);
}

export async function loadProjectNames(tx: Tx, ids: readonly Id[]): Promise<Record<Id, string>> {
  const rows = await forIds(ids, (slice) =>
    tx.selectFrom('projects').select(['id', 'name']).where('id', 'in', slice).execute(),
  );
  return Object.fromEntries(rows.map((row) => [row.id, row.name]));
}
