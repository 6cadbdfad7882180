import type { Id, Timestamp } from '@dstack/core';
import type { Tx } from '../context/context.ts';

/** Reports that a gateway replica sends until they are confirmed, so perhaps more than once. */
export interface GatewayDelivery {
  readonly replicaId: Id;
  readonly kind: 'counts' | 'usage';
  /** The same each time it is sent. A replica sends one after the other. */
  readonly batch: string;
}

/** The same of a worker of a server, which outlives it. */
export interface WorkerDelivery {
  readonly workerId: string;
  readonly kind: 'counts' | 'usage';
  /** The same each time it is sent. A worker sends one after the other. */
  readonly batch: string;
  readonly now: Timestamp;
}

export type StoredDelivery = GatewayDelivery | WorkerDelivery;

/** By then a worker has ended, and what it left was delivered (µs). */
const KEPT = 400 * 86_400_000_000;

/**
 * Whether it has not been received yet. Belongs into the transaction that stores its content: another
 * server that receives it at the same time waits for that.
 */
export async function isNewDelivery(tx: Tx, delivery: StoredDelivery | null): Promise<boolean> {
  if (delivery === null) return true;
  return 'workerId' in delivery ? isNewOfWorker(tx, delivery) : isNewOfGateway(tx, delivery);
}

async function isNewOfGateway(
  tx: Tx,
  { replicaId, kind, batch }: GatewayDelivery,
): Promise<boolean> {
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

async function isNewOfWorker(
  tx: Tx,
  { workerId, kind, batch, now }: WorkerDelivery,
): Promise<boolean> {
  const written = await tx
    .insertInto('worker_deliveries')
    .values({ worker_id: workerId, kind, batch, delivered_at: now })
    .onConflict((conflict) =>
      conflict
        .columns(['worker_id', 'kind'])
        .doUpdateSet({ batch, delivered_at: now })
        .where('worker_deliveries.batch', '!=', batch),
    )
    .executeTakeFirst();
  await tx
    .deleteFrom('worker_deliveries')
    .where('delivered_at', '<', now - KEPT)
    .execute();
  return Number(written.numInsertedOrUpdatedRows ?? 0) > 0;
}
