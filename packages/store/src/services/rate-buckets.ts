import { sql } from 'kysely';
import type { StoreContext } from '../context/context.ts';
import type { Services } from './types.ts';

/** Microseconds for each request at the slowest rate: one a minute. */
const SLOWEST = 60_000_000;
/** Requests that drain in a day at the slowest rate. A count without a request for so long matters no more. */
const MOST_KEPT = 1440;

interface Counted {
  readonly rps: number;
  readonly burst: number;
  readonly most: number;
  /** Microseconds: when the first of them came. */
  readonly began: number;
  readonly now: number;
}

/**
 * The row `b` after these requests, of which as many are allowed as there is room for. `start`: from when on they are
 * counted, which is after those that other servers or replicas have counted.
 */
const rowAfter = ({ rps, burst, most, began, now }: Counted) => sql`
  select
    case when free > 0 then next + granted - 1 else b.excess end,
    case when free > 0 then start else b.at end,
    case when free > 0 then granted else 0 end
  from (
    select start, next, free, case when free > most then most else free end as granted
    from (
      select start, most, next, floor(burst + drained - next) + 1 as free
      from (
        select start, most, burst, drained, case when owed > 0 then owed else 0 end as next
        from (
          select start, most, burst,
            b.excess + 1 - rate * (start - b.at) / 1000000.0 as owed,
            case when now > start then rate * (now - start) / 1000000.0 else 0 end as drained
          from (
            select rate, burst, most, now, case when began > b.at then began else b.at end as start
            from (
              select cast(${rps} as double precision) as rate,
                cast(${burst} as double precision) as burst,
                cast(${most} as double precision) as most,
                cast(${now} as bigint) as now, cast(${began} as bigint) as began
            ) as asked
          ) as started
        ) as measured
      ) as counted
    ) as judged
  ) as decided`;

/**
 * One statement, so that requests at several servers are counted one after another, as `RateBuckets` of the proxy
 * counts them. `excess`: requests beyond the rate, which drain with time; a request that would exceed the burst
 * changes nothing.
 */
export function createRateBuckets({
  db,
}: Pick<StoreContext, 'db'>): Pick<
  Services,
  'takeRate' | 'takeRates' | 'deleteDrainedRateBuckets'
> {
  const takeRates: Services['takeRates'] = async (key, { rps, burst }, requests) => {
    const { most, waitedMs, now } = requests;
    const began = now - Math.round(waitedMs * 1000);
    const first = Math.min(most, Math.floor(burst + (rps * (now - began)) / 1_000_000) + 1);
    const { rows } = await sql<{ excess: number; at: number; allowed: number }>`
      insert into service_rate_buckets as b (key, excess, at, allowed)
      values (${key}, ${first - 1}, ${began}, ${first})
      on conflict (key) do update
        set (excess, at, allowed) = (${rowAfter({ rps, burst, most, began, now })})
      returning excess, at, allowed`.execute(db);
    const [row] = rows;
    const granted = row === undefined ? most : Number(row.allowed);
    if (row === undefined || granted >= most) return { granted, waitMs: 0 };
    const passed = Math.max(0, now - Number(row.at)) / 1_000_000;
    const waitMs = ((Number(row.excess) + 1 - rps * passed - burst) / rps) * 1000;
    return { granted, waitMs };
  };
  return {
    takeRates,
    async takeRate(key, rate, now) {
      return (await takeRates(key, rate, { most: 1, waitedMs: 0, now })).waitMs / 1000;
    },
    async deleteDrainedRateBuckets(now) {
      const drained = sql<number>`at + ${SLOWEST} *
        case when excess + 1 > ${MOST_KEPT} then ${MOST_KEPT} else excess + 1 end`;
      const { numDeletedRows } = await db
        .deleteFrom('service_rate_buckets')
        .where(drained, '<', now)
        .executeTakeFirst();
      return Number(numDeletedRows);
    },
  };
}
