/** Services and the gateway that they use are written in an order that leaves none without the other. */
import { UNFINISHED_RUN_STATUSES } from '@dstack/contract/status';
import type { Id } from '@dstack/core';
import { notDeleted } from '../base/query.ts';
import type { StoreContext, Tx } from '../context/context.ts';
import { gatewayTable } from '../schema/resource-tables.ts';
import { servicesBeside } from '../services/services-beside.ts';
import { loadGateway } from './load-resources.ts';
import type { GatewayGuard, GatewayUse } from './types.ts';

/** On PostgreSQL the deletion of the gateway waits for the transaction, as do services with host names. */
export async function guardGateway(
  { postgres }: Pick<StoreContext, 'postgres'>,
  tx: Tx,
  guard: GatewayGuard | null | undefined,
): Promise<void> {
  if (guard == null) return;
  let query = tx.selectFrom('gateways').selectAll().where('id', '=', guard.id);
  if (postgres) query = guard.isExclusive ? query.forUpdate() : query.forShare();
  const row = await query.executeTakeFirst();
  guard.accept(row ? gatewayTable.decode(row) : null, await servicesBeside(tx, guard.id));
}

export async function loadGatewayUse(tx: Tx, id: Id): Promise<GatewayUse | null> {
  const snapshot = await loadGateway(tx, id);
  if (snapshot === null) return null;
  const rows = await tx
    .selectFrom('runs as r')
    .innerJoin('projects as p', 'p.id', 'r.project_id')
    .select(['r.id', 'r.name', 'r.project_id', 'r.priority', 'r.submitted_at'])
    .select('p.name as project_name')
    .where('r.gateway_id', '=', id)
    .where('r.status', 'in', UNFINISHED_RUN_STATUSES)
    .where(notDeleted('r.deleted'))
    .orderBy('r.submitted_at')
    .execute();
  return {
    ...snapshot,
    services: rows.map((row) => ({
      ...{ id: row.id, name: row.name, projectId: row.project_id },
      ...{ priority: row.priority, submittedAt: Number(row.submitted_at) },
    })),
    projectNames: Object.fromEntries(rows.map((row) => [row.project_id, row.project_name])),
  };
}
