/** The facts about the hosts of a fleet that its gateway uses. */
import { ENDING_INSTANCE_STATUSES } from '@dstack/contract/status';
import type { GatewayRecord, GatewayReplicaRecord } from '@dstack/core';
import { sql } from 'kysely';
import { notDeleted } from '../base/query.ts';
import type { Tx } from '../context/context.ts';

type Place = Pick<GatewayRecord, 'id' | 'projectId' | 'region' | 'configuration'>;

/**
 * When the last of the hosts that are free now became free: it connected, or the replica of another gateway
 * left it on purpose. Null: no host is free.
 */
export async function roomSince(
  tx: Tx,
  { id, projectId, region, configuration }: Place,
): Promise<number | null> {
  const wanted = configuration.instance_type ?? null;
  const named = wanted === null ? sql`1 = 1` : sql`i.name in (${wanted}, ${`${region}-${wanted}`})`;
  const { rows } = await sql<{ since: number; left_at: number | null }>`
    select h.since, (select max(r.last_processed_at) from gateway_replicas as r
        join gateways as g on g.id = r.gateway_id
        where r.instance_id = h.id and r.gateway_id <> ${id} and r.status = 'terminated'
          and (r.scale_in or g.to_be_deleted)) as left_at
      from fleets as f
      join instances as i on i.fleet_id = f.id
      join hosts as h on h.id = i.host_id
      where f.project_id = ${projectId} and f.name = ${region} and ${notDeleted('f.deleted')}
        and ${notDeleted('i.deleted')} and ${named}
        and i.status not in (${sql.join(ENDING_INSTANCE_STATUSES)})
        and h.connected
        and not exists (select 1 from gateway_replicas as r
          where r.instance_id = h.id and ${notDeleted('r.deleted')})`.execute(tx);
  if (rows.length === 0) return null;
  return Math.max(...rows.flatMap((row) => [Number(row.since), Number(row.left_at ?? 0)]));
}

/** Other gateways that lack replicas, and may use a host that this one leaves. */
export async function waitingGatewayIds(
  tx: Tx,
  { id, projectId }: Place,
  replicas: readonly Pick<GatewayReplicaRecord, 'region'>[],
): Promise<string[]> {
  const regions = [...new Set(replicas.flatMap(({ region }) => region ?? []))];
  if (regions.length === 0) return [];
  const rows = await tx
    .selectFrom('gateways')
    .select('id')
    .where('project_id', '=', projectId)
    .where('region', 'in', regions)
    .where('backend', '=', 'remote')
    .where('scale_out_attempt', '>', 0)
    .where('id', '!=', id)
    .where(notDeleted('deleted'))
    .execute();
  return rows.map((row) => row.id);
}
