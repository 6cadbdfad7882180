import { LOAD_SLOT } from '@dstack/contract/load';
import type { Id, LatencyCounts, QueryAnswer, ServiceLoad, Timestamp } from '@dstack/core';
import type { StoreContext, Tx } from '../context/context.ts';
import type { Services } from './types.ts';

/** The longest window, in slots. */
const LONGEST = 300 / LOAD_SLOT;

const WINDOWS = [30, 60, 300];

/** Answers that are older (µs) belong to queries that the service does not have any more. */
const UNUSED = 86_400_000_000;

/** The measurements of all servers together. */
export async function serviceLoad(tx: Tx, runId: Id, now: Timestamp): Promise<ServiceLoad> {
  const current = Math.floor(now / 1_000_000 / LOAD_SLOT);
  const rows = await tx
    .selectFrom('service_load')
    .select(['slot', 'busy_ms', 'latencies'])
    .where('run_id', '=', runId)
    .where('slot', '>', current - LONGEST)
    // A later one is of a clock that was wrong.
    .where('slot', '<=', current + 1)
    .execute();
  const busySeconds: Record<number, number> = {};
  const latencies: Record<number, LatencyCounts> = {};
  for (const window of WINDOWS) {
    const recent = rows.filter((row) => row.slot > current - window / LOAD_SLOT);
    busySeconds[window] = recent.reduce((sum, row) => sum + Number(row.busy_ms), 0) / 1000;
    latencies[window] = added(recent.map((row) => JSON.parse(row.latencies)));
  }
  return { busySeconds, latencies, queries: await queryAnswers(tx, runId) };
}

async function queryAnswers(tx: Tx, runId: Id): Promise<Record<string, QueryAnswer>> {
  const rows = await tx
    .selectFrom('service_queries')
    .selectAll()
    .where('run_id', '=', runId)
    .execute();
  return Object.fromEntries(
    rows.map(({ key, value, error, at }) => [key, { value, error, at: Number(at) }]),
  );
}

function added(all: readonly LatencyCounts[]): LatencyCounts {
  const sum: Record<number, number> = {};
  for (const counts of all) {
    for (const [bucket, count] of Object.entries(counts)) {
      sum[Number(bucket)] = (sum[Number(bucket)] ?? 0) + count;
    }
  }
  return sum;
}

export function createLoad(context: StoreContext): Pick<Services, 'setLoad' | 'setQueryAnswer'> {
  return {
    setLoad: (owner, slots) =>
      context.write(async ({ tx }) => {
        if (slots.length === 0) return;
        await tx
          .insertInto('service_load')
          .values(
            slots.map(({ runId, slot, busyMs, latencies }) => ({
              ...{ run_id: runId, slot, owner, busy_ms: Math.round(busyMs) },
              latencies: JSON.stringify(latencies),
            })),
          )
          .onConflict((conflict) =>
            conflict.columns(['run_id', 'slot', 'owner']).doUpdateSet((eb) => ({
              busy_ms: eb.ref('excluded.busy_ms'),
              latencies: eb.ref('excluded.latencies'),
            })),
          )
          .execute();
        const newest = Math.max(...slots.map(({ slot }) => slot));
        await tx
          .deleteFrom('service_load')
          .where('run_id', 'in', [...new Set(slots.map(({ runId }) => runId))])
          .where((eb) =>
            eb.or([eb('slot', '<=', newest - LONGEST), eb('slot', '>', newest + LONGEST)]),
          )
          .execute();
      }),
    setQueryAnswer: (runId, key, { value, error, at }, extras) =>
      context.write(async ({ tx, add }) => {
        add(extras);
        await tx
          .deleteFrom('service_queries')
          .where('run_id', '=', runId)
          .where('at', '<', at - UNUSED)
          .execute();
        await tx
          .insertInto('service_queries')
          .values({ run_id: runId, key, value, error, at })
          .onConflict((conflict) =>
            conflict.columns(['run_id', 'key']).doUpdateSet({ value, error, at }),
          )
          .execute();
      }),
  };
}
