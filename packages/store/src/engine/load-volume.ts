import {
  capabilitiesOf,
  type FleetRecord,
  type Id,
  type InstanceRecord,
  type VolumeHost,
  type VolumeRecord,
  type VolumeSnapshot,
} from '@dstack/core';
import { notDeleted } from '../base/query.ts';
import type { Tx } from '../context/context.ts';
import { volumeTable } from '../schema/resource-tables.ts';
import { fleetTable, hostTable, instanceTable } from '../schema/work-tables.ts';
import { volumeObservationsOf } from '../volumes/observations.ts';
import { attachmentsOf, usesOf } from '../volumes/uses.ts';
import { isConfigured } from './load-resources.ts';
import { instancesByIds, intentsOf } from './parts.ts';

export async function loadVolume(tx: Tx, id: Id): Promise<VolumeSnapshot | null> {
  const row = await tx
    .selectFrom('volumes as v')
    .innerJoin('projects as p', 'p.id', 'v.project_id')
    .selectAll('v')
    .select('p.name as project_name')
    .where('v.id', '=', id)
    .executeTakeFirst();
  if (!row) return null;
  const volume = volumeTable.decode(row);
  const attachments = await attachmentsOf(tx, [id]);
  const uses = await usesOf(tx, [id]);
  const fleet = await fleetOf(tx, volume);
  const instanceIds = [
    ...attachments.map((one) => one.instanceId),
    ...uses.map(({ job }) => job.instanceId),
    volume.hostId,
  ];
  return {
    volume,
    projectName: row.project_name,
    backendConfigured: await hasBackend(tx, volume, fleet),
    fleet,
    hosts: await possibleHosts(tx, volume),
    attachments,
    uses,
    instances: await instancesByIds(tx, [...new Set(present(instanceIds))]),
    observation: (await volumeObservationsOf(tx, [id]))[0] ?? null,
    intents: await intentsOf(tx, [id, ...attachments.map((one) => one.id)]),
  };
}

async function fleetOf(tx: Tx, { fleetId }: VolumeRecord): Promise<FleetRecord | null> {
  if (fleetId === null) return null;
  const row = await tx
    .selectFrom('fleets')
    .selectAll()
    .where('id', '=', fleetId)
    .executeTakeFirst();
  return row ? fleetTable.decode(row) : null;
}

async function hasBackend(
  tx: Tx,
  { backend, projectId }: VolumeRecord,
  fleet: FleetRecord | null,
): Promise<boolean> {
  switch (capabilitiesOf(backend).owner) {
    case 'server':
      return true;
    case 'user':
      return fleet !== null && !fleet.deleted;
    case 'provider':
      return await isConfigured(tx, projectId, backend);
  }
}

/** Hosts that could hold a directory that has none yet. */
async function possibleHosts(tx: Tx, volume: VolumeRecord): Promise<VolumeHost[]> {
  const { owner } = capabilitiesOf(volume.backend);
  if (owner === 'provider' || volume.hostId !== null) return [];
  if (owner === 'server') return await serverHosts(tx);
  const rows = await tx
    .selectFrom('instances')
    .selectAll()
    .where('fleet_id', '=', volume.fleetId)
    .where(notDeleted('deleted'))
    .where('host_id', 'is not', null)
    .orderBy('instance_num')
    .execute();
  const instances = rows.map(instanceTable.decode);
  return await withHosts(tx, instances);
}

async function withHosts(tx: Tx, instances: readonly InstanceRecord[]): Promise<VolumeHost[]> {
  const ids = present(instances.map((one) => one.hostId));
  const hosts = new Map((await hostsById(tx, ids)).map((host) => [host.id, host]));
  return instances.map((instance) => {
    const host = hosts.get(instance.hostId ?? '');
    return { ...volumeHost(instance.hostId ?? '', instance.name, host), instance };
  });
}

/** Servers that share a database have a host each. */
async function serverHosts(tx: Tx): Promise<VolumeHost[]> {
  const rows = await tx
    .selectFrom('hosts')
    .selectAll()
    .where(({ or, eb }) => or([eb('id', '=', 'local'), eb('id', 'like', 'local-%')]))
    .execute();
  return rows.map(hostTable.decode).map((host) => volumeHost(host.id, host.id, host));
}

async function hostsById(tx: Tx, ids: readonly string[]) {
  if (ids.length === 0) return [];
  const rows = await tx
    .selectFrom('hosts')
    .selectAll()
    .where('id', 'in', [...ids])
    .execute();
  return rows.map(hostTable.decode);
}

function volumeHost(
  hostId: string,
  name: string,
  host: ReturnType<typeof hostTable.decode> | undefined,
): VolumeHost {
  return {
    ...{ hostId, name, instance: null },
    connected: host?.connected ?? false,
    error: host?.error ?? null,
    freeBytes: host?.facts?.disk_bytes ?? 0,
  };
}

function present<T>(values: readonly (T | null)[]): T[] {
  return values.filter((value): value is T => value !== null);
}
