import { sql } from 'kysely';
import type { StoreContext } from '../context/context.ts';
import type { Services } from './types.ts';

/** Microseconds for each request at the slowest rate: one a minute. */
const SLOWEST = 60_000_000;

/**
 * One statement, so that requests at several servers are counted one after another. `excess`: requests
 * beyond the rate, which drain with time; a request that would exceed the burst changes nothing.
 */
export function createRateBuckets({
  db,
}: Pick<StoreContext, 'db'>): Pick<Services, 'takeRate' | 'deleteDrainedRateBuckets'> {
  return {
    async takeRate(key, { rps, burst }, now) {
      // Without the cast PostgreSQL takes the type of the time for the rate, which may be a fraction.
      const rate = sql`cast(${rps} as double precision)`;
      const drained = sql`(case when ${now} > b.at then ${rate} * (${now} - b.at) / 1000000.0 else 0 end)`;
      const left = sql`(b.excess + 1 - ${drained})`;
      const next = sql`(case when ${left} > 0 then ${left} else 0 end)`;
      const { rows } = await sql<{ excess: number; at: number; allowed: number }>`
        insert into service_rate_buckets as b (key, excess, at, allowed)
        values (${key}, 0, ${now}, 1)
        on conflict (key) do update set
          allowed = case when ${next} <= ${burst} then 1 else 0 end,
          excess = case when ${next} <= ${burst} then ${next} else b.excess end,
          at = case when ${next} <= ${burst} and ${now} > b.at then ${now} else b.at end
        returning excess, at, allowed`.execute(db);
      const [row] = rows;
      if (row === undefined || Number(row.allowed) === 1) return 0;
      const passed = Math.max(0, now - Number(row.at)) / 1_000_000;
      return (Number(row.excess) + 1 - rps * passed - burst) / rps;
    },
    async deleteDrainedRateBuckets(now) {
      const drained = sql<number>`at + (excess + 1) * ${SLOWEST}`;
      const { numDeletedRows } = await db
        .deleteFrom('service_rate_buckets')
        .where(drained, '<', now)
        .executeTakeFirst();
      return Number(numDeletedRows);
    },
  };
}
