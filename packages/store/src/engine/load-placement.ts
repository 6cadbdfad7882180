import {
  capacityOf,
  type FleetRecord,
  type FreedCapacity,
  type Gang,
  hasPriorityPreemption,
  type Id,
  type MountableVolume,
  type Occupant,
  roomOf,
  type TimeLimit,
} from '@dstack/core';
import { forIds, notDeleted } from '../base/query.ts';
import type { RecordCache } from '../caches/record-cache.ts';
import { hasGuarantees, loadClaims } from '../claims/load-claims.ts';
import type { StoreContext, Tx } from '../context/context.ts';
import { HAS_WAITING_JOBS, loadQueue, PER_CLASS } from '../queue/load-queue.ts';
import { poolQuotas } from '../quotas/quotas.ts';
import { fleetTable } from '../schema/work-tables.ts';
import { isOfOneProject, type ShareContext, sharesBeside } from '../shares/pool-shares.ts';
import { mountableVolumes, mountsVolumes } from '../volumes/uses.ts';
import { serverHosts } from './local-use.ts';
import type { Examined, LoadedPool, ProjectCapacity } from './types.ts';

/** The caches that are kept between reads. */
export type Cached = Pick<StoreContext, 'records' | 'fleetIndexes' | 'postgres'> & ShareContext;

/**
 * The queue of a pool and all capacity that its waiting projects may use; unchanged records come from
 * the cache. Null: the pool does not exist, or nothing waits in it.
 */
export async function loadPlacement(
  tx: Tx,
  context: Cached,
  poolId: Id,
  only: Examined = 'all',
  withClaims = false,
): Promise<LoadedPool | null> {
  const pool = await tx
    .selectFrom('pools')
    .select(['id', 'version'])
    .where('id', '=', poolId)
    .executeTakeFirst();
  if (!pool) return null;
  const waiting = await tx
    .selectFrom('projects')
    .select('id')
    .where('pool_id', '=', poolId)
    .where(HAS_WAITING_JOBS)
    .orderBy('id')
    .execute();
  const projectIds = waiting.map(({ id }) => id);
  if (projectIds.length === 0) return null;
  const rights = await loadRights(tx, projectIds);
  const machines = await loadUsable(tx, context, rights);
  const { quotas } = machines;
  const mayReclaim =
    withClaims || hasGuarantees(quotas ?? []) || hasPriorityPreemption(machines.fleets);
  // Without room no gang that waits gets a place, and nothing has changed for it. Where others may have to leave, gangs
  // that wait already are entitled before new ones.
  const isOfNewAlone = only === 'new' && !mayReclaim && roomOf(machines) === 0;
  const perClass = isOfNewAlone ? 0 : PER_CLASS;
  const shared = await sharesBeside(tx, context, projectIds, quotas);
  const isShared = shared.shares !== undefined;
  const queue = await loadQueue(tx, context.records, projectIds, { perClass, quotas, isShared });
  if (queue.gangs.length === 0) return null;
  return {
    pool,
    isWhole: perClass > 0,
    isOfOneProject: await isOfOneProject(tx, poolId),
    rights,
    ...queue,
    ...machines,
    ...shared,
    ...(queue.gangs.some(isWaiting) && { occupants: await loadOccupants(tx, machines.fleets) }),
    ...(mayReclaim && { claims: await loadClaims(tx, poolId) }),
    volumes: await volumesOfGangs(tx, queue.gangs),
  };
}

/** Reservations are made for gangs that wait: for new work alone no ends are read. */
const isWaiting = ({ jobs }: Gang): boolean => jobs.some((job) => job.waitingSince !== null);

/** The jobs with a `max_duration` on the instances of these fleets. */
export async function loadOccupants(tx: Tx, fleets: readonly FleetRecord[]): Promise<Occupant[]> {
  const rows = await forIds(
    fleets.map((fleet) => fleet.id),
    (slice) =>
      tx
        .selectFrom('jobs as j')
        .innerJoin('instances as i', 'i.id', 'j.instance_id')
        .select(['j.instance_id', 'j.claimed_blocks', 'j.running_at', 'j.provisioned_at'])
        .select('j.time_limit')
        .where('j.instance_id', 'is not', null)
        .where('j.time_limit', 'is not', null)
        .where('i.fleet_id', 'in', slice)
        .execute(),
  );
  return rows.flatMap((row) => {
    const startedAt = row.provisioned_at ?? row.running_at;
    if (row.instance_id === null || startedAt === null || row.claimed_blocks === 0) return [];
    return [
      {
        instanceId: row.instance_id,
        blocks: row.claimed_blocks,
        startedAt: Number(startedAt),
        runningAt: row.running_at === null ? null : Number(row.running_at),
        limit: JSON.parse(String(row.time_limit)) as TimeLimit,
      },
    ];
  });
}

/** Volumes of the projects whose gangs mount some. */
export async function volumesOfGangs(tx: Tx, gangs: readonly Gang[]): Promise<MountableVolume[]> {
  const mounting = gangs.filter(({ run }) => mountsVolumes(run.spec));
  return await mountableVolumes(tx, [...new Set(mounting.map(({ run }) => run.projectId))]);
}

export async function loadCapacity(
  tx: Tx,
  context: Cached,
  projectId: Id,
): Promise<ProjectCapacity> {
  const machines = await loadUsable(tx, context, await loadRights(tx, [projectId]));
  return { ...machines, volumes: await mountableVolumes(tx, [projectId]) };
}

/** The fleets that each of the projects may use: its own, and those that it imports. */
export async function loadRights(
  tx: Tx,
  projectIds: readonly Id[],
): Promise<ReadonlyMap<Id, ReadonlySet<Id>>> {
  const rights = new Map(projectIds.map((id) => [id, new Set<Id>()]));
  const rows = await forIds(projectIds, (slice) =>
    tx
      .selectFrom('fleets')
      .select(['project_id', 'id as fleet_id'])
      .where('project_id', 'in', slice)
      .where(notDeleted('deleted'))
      .union(
        tx
          .selectFrom('imports as i')
          .innerJoin('exported_fleets as ef', 'ef.export_id', 'i.export_id')
          .select(['i.project_id', 'ef.fleet_id'])
          .where('i.project_id', 'in', slice),
      )
      .execute(),
  );
  for (const { project_id, fleet_id } of rows) rights.get(project_id)?.add(fleet_id);
  return rights;
}

export async function loadUsable(
  tx: Tx,
  { records, fleetIndexes, postgres }: Pick<Cached, 'records' | 'fleetIndexes' | 'postgres'>,
  rights: ReadonlyMap<Id, ReadonlySet<Id>>,
): Promise<Omit<ProjectCapacity, 'volumes'>> {
  const fleets = await loadFleets(
    tx,
    records,
    [...rights.values()].flatMap((own) => [...own]),
  );
  const owners = fleets.map((fleet) => fleet.projectId);
  return {
    ...capacityOf(await fleetIndexes.read(tx, fleets)),
    projectNames: await loadProjectNames(tx, [...rights.keys(), ...owners]),
    quotas: await poolQuotas(tx, [...rights.keys()]),
    serverHosts: await serverHosts(tx, { records, postgres }),
  };
}

/** See `EngineStore.waitingFor`. */
export async function waitingFor(tx: Tx, freed: FreedCapacity): Promise<Id[]> {
  const rows = await tx
    .selectFrom('projects')
    .select('pool_id')
    .distinct()
    .where(HAS_WAITING_JOBS)
    .$if(freed.kind !== 'server-host', (query) =>
      query.where('pool_id', '=', (eb) =>
        freed.kind === 'fleet'
          ? eb.selectFrom('fleets').select('pool_id').where('id', '=', freed.fleetId)
          : eb
              .selectFrom('projects')
              .select('pool_id')
              .where('id', '=', freed.kind === 'project' ? freed.projectId : ''),
      ),
    )
    .execute();
  return rows.flatMap((row) => row.pool_id ?? []);
}

/** Those of them that are not deleted, oldest first. */
async function loadFleets(
  tx: Tx,
  records: RecordCache,
  ids: readonly Id[],
): Promise<FleetRecord[]> {
  const keys = await forIds(ids, (slice) =>
    tx
      .selectFrom('fleets')
      .select(['id', 'version', 'created_at'])
      .where('id', 'in', slice)
      .where(notDeleted('deleted'))
      .execute(),
  );
  keys.sort((a, b) => a.created_at - b.created_at || (a.id < b.id ? -1 : 1));
  return await records.read(tx, fleetTable, keys);
}

export async function loadProjectNames(tx: Tx, ids: readonly Id[]): Promise<Record<Id, string>> {
  const rows = await forIds(ids, (slice) =>
    tx.selectFrom('projects').select(['id', 'name']).where('id', 'in', slice).execute(),
  );
  return Object.fromEntries(rows.map((row) => [row.id, row.name]));
}
