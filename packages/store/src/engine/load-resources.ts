import type { BackendType } from '@dstack/contract/wire';
import type { GatewaySnapshot, Id, VolumeSnapshot } from '@dstack/core';
import type { Tx } from '../context.ts';
import { notDeleted } from '../query.ts';
import { gatewayTable, volumeTable } from '../schema/resource-tables.ts';

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
  const attachments = await tx
    .selectFrom('volume_attachments')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('volume_id', '=', id)
    .executeTakeFirstOrThrow();
  return {
    volume,
    projectName: row.project_name,
    backendConfigured: await isConfigured(tx, volume.projectId, volume.backend),
    attachments: Number(attachments.count),
  };
}

export async function loadGateway(tx: Tx, id: Id): Promise<GatewaySnapshot | null> {
  const row = await tx
    .selectFrom('gateways as g')
    .innerJoin('projects as p', 'p.id', 'g.project_id')
    .selectAll('g')
    .select(['p.name as project_name', 'p.default_gateway_id as project_default'])
    .where('g.id', '=', id)
    .executeTakeFirst();
  if (!row) return null;
  const gateway = gatewayTable.decode(row);
  const defaultOf = await tx
    .selectFrom('projects')
    .select(['id', 'name'])
    .where('default_gateway_id', '=', id)
    .where(notDeleted('deleted'))
    .orderBy('name')
    .execute();
  return {
    gateway,
    projectName: row.project_name,
    backendConfigured: await isConfigured(tx, gateway.projectId, gateway.backend),
    defaultOf,
    projectDefaultId: row.project_default,
  };
}

async function isConfigured(tx: Tx, projectId: Id, type: BackendType): Promise<boolean> {
  const row = await tx
    .selectFrom('backends')
    .select('id')
    .where('project_id', '=', projectId)
    .where('type', '=', type)
    .executeTakeFirst();
  return row !== undefined;
}
