import type { Id } from '@dstack/core';
import type { Tx } from '../context.ts';

/** What a gateway replica sends until it is confirmed, so perhaps more than once. */
export interface GatewayDelivery {
  readonly replicaId: Id;
  readonly kind: 'counts' | 'usage';
  /** The same each time it is sent. A replica sends one after the other. */
  readonly batch: string;
}

/**
 * Whether it has not been received yet. Belongs into the transaction that stores its content: another
 * server that receives it at the same time waits for that.
 */
export async function isNewDelivery(tx: Tx, delivery: GatewayDelivery | null): Promise<boolean> {
  if (delivery === null) return true;
  const { replicaId, kind, batch } = delivery;
  const written = await tx
    .insertInto('gateway_deliveries')
    .values({ replica_id: replicaId, kind, batch })
    .onConflict((conflict) =>
      conflict
        .columns(['replica_id', 'kind'])
        .doUpdateSet({ batch })
        .where('gateway_deliveries.batch', '!=', batch),
    )
    .executeTakeFirst();
  return Number(written.numInsertedOrUpdatedRows ?? 0) > 0;
}
