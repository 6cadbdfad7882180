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
}: Pick<StoreContext, 'db'>): Pick<
  Services,
  'takeRate' | 'takeRates' | 'deleteDrainedRateBuckets'
> {
  const takeRates: Services['takeRates'] = async (key, { rps, burst }, most, now) => {
    // Without the cast PostgreSQL takes the type of the time for the rate, which may be a fraction.
    const rate = sql`cast(${rps} as double precision)`;
    const drained = sql`(case when ${now} > b.at then ${rate} * (${now} - b.at) / 1000000.0 else 0 end)`;
    const left = sql`(b.excess + 1 - ${drained})`;
    /** With one more request. */
    const next = sql`(case when ${left} > 0 then ${left} else 0 end)`;
    const room = sql`(floor(${burst} - ${next}) + 1)`;
    const granted = sql`(case when ${room} > ${most} then ${most} else ${room} end)`;
    const first = Math.min(most, burst + 1);
    const { rows } = await sql<{ excess: number; at: number; allowed: number }>`
      insert into service_rate_buckets as b (key, excess, at, allowed)
      values (${key}, ${first - 1}, ${now}, ${first})
      on conflict (key) do update set
        allowed = case when ${next} <= ${burst} then ${granted} else 0 end,
        excess = case when ${next} <= ${burst} then ${next} + ${granted} - 1 else b.excess end,
        at = case when ${next} <= ${burst} and ${now} > b.at then ${now} else b.at end
      returning excess, at, allowed`.execute(db);
    const [row] = rows;
    const allowed = row === undefined ? most : Number(row.allowed);
    if (row === undefined || allowed > 0) return { granted: allowed, waitMs: 0 };
    const passed = Math.max(0, now - Number(row.at)) / 1_000_000;
    return { granted: 0, waitMs: ((Number(row.excess) + 1 - rps * passed - burst) / rps) * 1000 };
  };
  return {
    takeRates,
    async takeRate(key, rate, now) {
      return (await takeRates(key, rate, 1, now)).waitMs / 1000;
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
