import type { Id, RequestCounts, Timestamp } from '@dstack/core';
import { sql } from 'kysely';
import type { StoreContext, Tx } from '../context/context.ts';
import { isNewDelivery } from '../gateways/deliveries.ts';
import type { Services } from './types.ts';

/** The longest window, in seconds. */
const LONGEST = 300;

/** Seconds of servers that share a time differ by less; a later one is of a clock that was wrong. */
const TOLERANCE = 5;

/** Requests that all servers together have received. */
export async function requestCounts(tx: Tx, runId: Id, now: Timestamp): Promise<RequestCounts> {
  const second = Math.floor(now / 1_000_000);
  const rows = await tx
    .selectFrom('service_requests')
    .select(['second', (eb) => eb.fn.sum<number>('requests').as('requests')])
    .where('run_id', '=', runId)
    .where('second', '>', second - LONGEST)
    .where('second', '<=', second + TOLERANCE)
    .groupBy('second')
    .execute();
  const within = (seconds: number) =>
    rows
      .filter((row) => row.second > second - seconds)
      .reduce((sum, row) => sum + Number(row.requests), 0);
  return { '30': within(30), '60': within(60), '300': within(LONGEST) };
}

export function createRequests(context: StoreContext): Pick<Services, 'addRequests'> {
  return {
    addRequests: (owner, counts, extras, delivery = null) =>
      context.write(async ({ tx, add }) => {
        add(extras);
        if (counts.length === 0 || !(await isNewDelivery(tx, delivery))) return;
        await tx
          .insertInto('service_requests')
          .values(
            counts.map(({ runId, second, requests }) => ({
              ...{ run_id: runId, second, owner, requests },
            })),
          )
          .onConflict((conflict) =>
            conflict
              .columns(['run_id', 'second', 'owner'])
              .doUpdateSet({ requests: sql`service_requests.requests + excluded.requests` }),
          )
          .execute();
        const runIds = [...new Set(counts.map((count) => count.runId))];
        const newest = Math.max(...counts.map((count) => count.second));
        await tx
          .deleteFrom('service_requests')
          .where('run_id', 'in', runIds)
          .where((eb) =>
            eb.or([eb('second', '<=', newest - LONGEST), eb('second', '>', newest + LONGEST)]),
          )
          .execute();
      }),
  };
}
