/** Prices of the GPUs of pools, for the weights of GPUs. */
import { type GpuPrices, gpuPricesOf, type Id, type Offer } from '@dstack/core';
import { type Kysely, sql } from 'kysely';
import type { DB } from '../schema/db.ts';

/** A claim keeps the weights that it began with, so prices need not be of this moment. */
const KEPT = 60_000_000;
const MOST_POOLS = 1000;

/** By pool, read again after a minute. */
export class PoolGpuPrices {
  readonly #known = new Map<Id, { readonly prices: GpuPrices; readonly until: number }>();

  async of(tx: Kysely<DB>, { postgres, monotonic }: Clocks, poolId: Id): Promise<GpuPrices> {
    const now = monotonic();
    const known = this.#known.get(poolId);
    if (known && now < known.until) return known.prices;
    const prices = await readGpuPrices(tx, postgres, poolId);
    if (this.#known.size >= MOST_POOLS) this.#known.clear();
    this.#known.set(poolId, { prices, until: now + KEPT });
    return prices;
  }
}

interface Clocks {
  readonly postgres: boolean;
  readonly monotonic: () => number;
}

/** Reads the prices from the present machines of all fleets of the pool; machines that are alike are read once. */
export async function readGpuPrices(
  tx: Kysely<DB>,
  postgres: boolean,
  poolId: Id,
): Promise<GpuPrices> {
  const offer = sql.raw(postgres ? 'i.offer::text' : 'i.offer');
  const { rows } = await sql<{ offer: string }>`select distinct ${offer} as offer
    from fleets f join instances i on i.fleet_id = f.id
    where f.pool_id = ${poolId} and not i.deleted and i.offer is not null`.execute(tx);
  return gpuPricesOf(rows.map((row) => JSON.parse(row.offer) as Offer));
}
