import type { BackendType } from '@dstack/contract/wire';
import type { BackendName, GatewaySnapshot, Id } from '@dstack/core';
import type { Tx } from '../context.ts';
import { notDeleted } from '../query.ts';
import { gatewayTable } from '../schema/resource-tables.ts';

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

/** Whether the project has a backend of that type. */
export async function isConfigured(tx: Tx, projectId: Id, type: BackendName): Promise<boolean> {
  const row = await tx
    .selectFrom('backends')
    .select('id')
    .where('project_id', '=', projectId)
    .where('type', '=', type as BackendType)
    .executeTakeFirst();
  return row !== undefined;
}
