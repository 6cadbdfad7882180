import {
  isInstancePending,
  UNFINISHED_JOB_STATUSES,
  UNFINISHED_RUN_STATUSES,
} from '@dstack/contract/status';
import {
  type FleetRecord,
  type FleetSnapshot,
  type FleetVolume,
  type Id,
  type InstanceRecord,
  type InstanceSnapshot,
  type IntentRecord,
  type IntentResult,
  isServerHost,
} from '@dstack/core';
import { notDeleted } from '../base/query.ts';
import type { FleetIndexes } from '../caches/fleet-indexes.ts';
import type { RecordCache } from '../caches/record-cache.ts';
import type { Tx } from '../context/context.ts';
import { instancesOfFleets } from '../fleets/instances-of-fleets.ts';
import { groupById, groupsOfFleet } from '../groups/groups.ts';
import { observationOf } from '../instances/observations.ts';
import { hostHealth, hostsOf } from '../jobs/hosts.ts';
import { volumeTable } from '../schema/resource-tables.ts';
import { fleetTable, jobTable } from '../schema/work-tables.ts';
import { ordersOf } from './load-group.ts';
import { serverHostUse } from './local-use.ts';
import { instancesByIds, intentsOf } from './parts.ts';

export async function loadInstance(
  tx: Tx,
  fleetIndexes: FleetIndexes,
  id: Id,
): Promise<InstanceSnapshot | null> {
  const [instance] = await instancesByIds(tx, [id]);
  if (!instance) return null;
  const fleet = await tx
    .selectFrom('fleets')
    .selectAll()
    .where('id', '=', instance.fleetId)
    .executeTakeFirstOrThrow();
  const jobs = await tx
    .selectFrom('jobs')
    .selectAll()
    .where('instance_id', '=', id)
    .where('status', 'in', UNFINISHED_JOB_STATUSES)
    .orderBy('submitted_at')
    .execute();
  const active = await fleetIndexes.activeIn(tx, [instance.fleetId]);
  const intents = await intentsOf(tx, [id, ...jobs.map((job) => job.id)]);
  const [host] = instance.hostId === null ? [] : await hostsOf(tx, [instance.hostId]);
  return {
    instance,
    fleet: fleetTable.decode(fleet),
    jobs: jobs.map(jobTable.decode),
    host: host ?? null,
    health: instance.hostId === null ? null : await hostHealth(tx, instance.hostId),
    observation: await observationOf(tx, id),
    group: instance.groupId === null ? null : await groupById(tx, instance.groupId),
    intents,
    activeInFleet: active.get(instance.fleetId) ?? 0,
    local: await localOfPlanned(tx, instance, intents),
  };
}

async function localOfPlanned(
  tx: Tx,
  { status, backend, provisioningJobId }: InstanceRecord,
  intents: readonly IntentRecord[],
): Promise<InstanceSnapshot['local']> {
  if (!isInstancePending(status) || backend !== null || provisioningJobId !== null) return null;
  const hostId = intents.findLast(isLocalCreated)?.result.hostId ?? null;
  return hostId === null ? null : await serverHostUse(tx, hostId);
}

type Created = Extract<IntentResult, { kind: 'instance.created' }>;

const isLocalCreated = (intent: IntentRecord): intent is IntentRecord & { result: Created } =>
  intent.result?.kind === 'instance.created' && isServerHost(intent.result.offer?.backend ?? null);

export async function loadFleet(
  tx: Tx,
  records: RecordCache,
  id: Id,
): Promise<FleetSnapshot | null> {
  const row = await tx
    .selectFrom('fleets as f')
    .innerJoin('projects as p', 'p.id', 'f.project_id')
    .selectAll('f')
    .select(['p.name as project_name', 'p.deleted as project_deleted'])
    .where('f.id', '=', id)
    .executeTakeFirst();
  if (!row) return null;
  const runs = await tx
    .selectFrom('runs')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('fleet_id', '=', id)
    .where('status', 'in', UNFINISHED_RUN_STATUSES)
    .executeTakeFirstOrThrow();
  const fleet = fleetTable.decode(row);
  const instances = await instancesOfFleets(tx, records, [id]);
  const isCluster = fleet.spec.configuration.placement === 'cluster';
  return {
    fleet,
    projectName: row.project_name,
    projectDeleted: Boolean(row.project_deleted),
    instances,
    intents: isCluster ? await ordersOf(tx, instances) : [],
    groups: isCluster ? await groupsOfFleet(tx, id) : [],
    activeRuns: Number(runs.count),
    ...(hasWindows(fleet) && { placedRuns: await runsOnFleet(tx, id) }),
    volumes: fleet.spec.configuration.ssh_config ? await volumesOnFleet(tx, id, instances) : [],
  };
}

const hasWindows = ({ spec, maintenance }: FleetRecord): boolean =>
  maintenance !== null || Boolean(spec.configuration.maintenance);

/** The runs with jobs on the instances of the fleet. */
async function runsOnFleet(tx: Tx, fleetId: Id): Promise<Id[]> {
  const rows = await tx
    .selectFrom('jobs as j')
    .innerJoin('instances as i', 'i.id', 'j.instance_id')
    .select('j.run_id')
    .distinct()
    .where('j.instance_id', 'is not', null)
    .where('j.status', 'in', UNFINISHED_JOB_STATUSES)
    .where('i.fleet_id', '=', fleetId)
    .execute();
  return rows.map((row) => row.run_id);
}

async function volumesOnFleet(
  tx: Tx,
  fleetId: Id,
  instances: readonly InstanceRecord[],
): Promise<FleetVolume[]> {
  const rows = await tx
    .selectFrom('volumes')
    .selectAll()
    .where('fleet_id', '=', fleetId)
    .where(notDeleted('deleted'))
    .orderBy('name')
    .execute();
  if (rows.length === 0) return [];
  const ids = instances.flatMap(({ hostId }) => (hostId === null ? [] : [hostId]));
  const hosts = await hostsOf(tx, ids);
  const connected = new Set(hosts.filter((host) => host.connected).map(({ id }) => id));
  return rows.map(volumeTable.decode).map((volume) => ({
    volume,
    isReachable: volume.hostId === null ? connected.size > 0 : connected.has(volume.hostId),
  }));
}
