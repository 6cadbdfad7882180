import type { BackendType } from '@dstack/contract/wire';
import {
  type BackendName,
  capabilitiesOf,
  type GatewayRecord,
  type GatewaySnapshot,
  gatewayBackend,
  type Id,
} from '@dstack/core';
import { notDeleted } from '../base/query.ts';
import type { Tx } from '../context/context.ts';
import { gatewayReportsOf } from '../gateways/reports.ts';
import { gatewayTable, replicaTable } from '../schema/resource-tables.ts';
import { roomSince, waitingGatewayIds } from './load-gateway-room.ts';
import { intentsOf } from './parts.ts';

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
  const rows = await tx
    .selectFrom('gateway_replicas')
    .selectAll()
    .where('gateway_id', '=', id)
    .orderBy('created_at')
    .orderBy('replica_num')
    .execute();
  const all = rows.map(replicaTable.decode);
  // The newest of those that have ended show why a gateway has failed.
  const replicas = all.filter(({ deleted }, index) => !deleted || index >= all.length - MAX_ENDED);
  const ids = replicas.map((replica) => replica.id);
  const isOnHosts = capabilitiesOf(gatewayBackend(gateway)).owner === 'user';
  const leaving = replicas.filter(
    ({ deleted, scaleIn }) => !deleted && (scaleIn || gateway.toBeDeleted),
  );
  return {
    gateway,
    replicas,
    reports: await gatewayReportsOf(tx, ids),
    intents: await intentsOf(tx, ids),
    projectName: row.project_name,
    backendConfigured: await hasBackend(tx, gateway),
    defaultOf,
    projectDefaultId: row.project_default,
    roomSince: isOnHosts && gateway.scaleOutAttempt > 0 ? await roomSince(tx, gateway) : null,
    waitingGatewayIds: await waitingGatewayIds(tx, gateway, leaving),
  };
}

/** The most ended replicas that a pass reads. */
const MAX_ENDED = 20;

async function hasBackend(tx: Tx, gateway: GatewayRecord): Promise<boolean> {
  const backend = gatewayBackend(gateway);
  switch (capabilitiesOf(backend).owner) {
    case 'server':
      return true;
    case 'user':
      return await hasFleet(tx, gateway);
    case 'provider':
      return await isConfigured(tx, gateway.projectId, backend);
  }
}

async function hasFleet(tx: Tx, { projectId, region }: GatewayRecord): Promise<boolean> {
  const row = await tx
    .selectFrom('fleets')
    .select('id')
    .where('project_id', '=', projectId)
    .where('name', '=', region)
    .where(notDeleted('deleted'))
    .executeTakeFirst();
  return row !== undefined;
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
