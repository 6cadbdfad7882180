/** Enters what has been paid for, in the transaction in which it ends. */
import {
  type Change,
  type DayPart,
  dayParts,
  instanceInterval,
  jobInterval,
  type LedgerAmounts,
  NO_AMOUNTS,
  type PricedInterval,
  plusAmounts,
  stableHash,
} from '@dstack/core';
import { sql } from 'kysely';
import { forIds, insertInSlices } from '../base/query.ts';
import type { Tx } from '../context/context.ts';
import type { LedgerKey } from '../schema/db.ts';
import { jobTable, runTable } from '../schema/work-tables.ts';

type Reprice = Extract<Change, { type: 'ledger.reprice' }>;

/** Two statements for all intervals that end with these changes, and none for other changes. */
export async function enterIntervals(tx: Tx, changes: readonly Change[]): Promise<void> {
  const intervals: PricedInterval[] = [];
  for (const change of changes) {
    if (change.type === 'ledger.append') intervals.push(change.interval);
    else if (change.type === 'ledger.reprice') intervals.push(...(await upToReprice(tx, change)));
  }
  if (intervals.length === 0) return;
  const entries = intervals.flatMap((interval) =>
    dayParts(interval).map((part) => {
      const key = keyOf(interval, part.day);
      return { key, amounts: part.amounts, row: partRow(interval, key, part) };
    }),
  );
  const added = new Set<string>();
  await insertInSlices(entries, async (slice) => {
    const rows = await tx
      .insertInto('ledger_parts')
      .values(slice.map(({ row }) => row))
      // A job that could not leave for ever would be worse than one that is entered once.
      .onConflict((conflict) => conflict.column('id').doNothing())
      .returning('id')
      .execute();
    for (const { id } of rows) added.add(id);
  });
  const days = new Map<string, { readonly key: LedgerKey; amounts: LedgerAmounts }>();
  for (const { key, amounts, row } of entries) {
    // A part that was entered before is in the sums of its day already.
    if (!added.delete(row.id)) continue;
    const text = textOf(key);
    const day = days.get(text) ?? { key, amounts: NO_AMOUNTS };
    days.set(text, { key, amounts: plusAmounts(day.amounts, amounts) });
  }
  // In one order, so that two transactions do not wait for each other in a circle.
  const sums = [...days].sort(([a], [b]) => (a < b ? -1 : 1));
  await insertInSlices(
    sums.map(([, { key, amounts }]) => ({ ...key, ...sumsOf(amounts) })),
    (slice) => addToDays(tx, slice),
  );
}

/** The guarded update of the instance keeps others from giving it jobs, or taking some away, meanwhile. */
async function upToReprice(tx: Tx, { instance, at }: Reprice): Promise<PricedInterval[]> {
  const jobs = await tx
    .selectFrom('jobs')
    .selectAll()
    .where('instance_id', '=', instance.id)
    .execute();
  const ids = jobs.map((job) => job.run_id);
  const runs = await forIds(ids, (slice) =>
    tx.selectFrom('runs').selectAll().where('id', 'in', slice).execute(),
  );
  const byId = new Map(runs.map((row) => [row.id, runTable.decode(row)]));
  const ofJobs = jobs.map((row) => {
    const run = byId.get(row.run_id);
    return run ? jobInterval(jobTable.decode(row), run, instance, at) : null;
  });
  return [instanceInterval(instance, at), ...ofJobs].filter((one) => one !== null);
}

const textOf = (key: LedgerKey): string =>
  [key.day, key.project_id, key.fleet_id, key.user_id, key.gpu, key.tags_key].join('\n');

function keyOf({ projectId, fleetId, fleetName, run, gpu }: PricedInterval, day: number) {
  const tags = tagsText(run?.tags ?? {});
  return {
    ...{ day, project_id: projectId, fleet_id: fleetId, fleet_name: fleetName },
    ...{ user_id: run?.userId ?? '', gpu, tags, tags_key: tags === '' ? '' : stableHash(tags) },
  };
}

/** The same text for the same tags, whatever their order; '' = none. */
function tagsText(tags: Readonly<Record<string, string>>): string {
  const sorted = Object.entries(tags).sort(([a], [b]) => (a < b ? -1 : 1));
  return sorted.length === 0 ? '' : JSON.stringify(Object.fromEntries(sorted));
}

/** The id is the same on every server. */
function partRow(interval: PricedInterval, key: LedgerKey, part: DayPart) {
  const { subjectId, instanceId, run, price, blocks, totalBlocks, gpus } = interval;
  const id = `${subjectId}:${interval.since}:${part.day}`;
  return {
    ...{ id, ...key, subject_id: subjectId, instance_id: instanceId },
    ...{ run_id: run?.id ?? '', run_name: run?.name ?? '', price },
    ...{ blocks, total_blocks: totalBlocks, gpus },
    ...{ began_at: interval.since, ended_at: interval.until },
    ...{ since: part.since, until: part.until },
    ...sumsOf(part.amounts),
  };
}

function sumsOf({ ms, gpuMs, cost, unpricedMs }: LedgerAmounts) {
  return { ms, gpu_ms: gpuMs, cost, unpriced_ms: unpricedMs };
}

async function addToDays(
  tx: Tx,
  rows: readonly (LedgerKey & ReturnType<typeof sumsOf>)[],
): Promise<void> {
  const sums = ['ms', 'gpu_ms', 'cost', 'unpriced_ms'] as const;
  const added = sums.map((name) => [
    name,
    sql<number>`ledger_days.${sql.ref(name)} + excluded.${sql.ref(name)}`,
  ]);
  await tx
    .insertInto('ledger_days')
    .values([...rows])
    .onConflict((conflict) =>
      conflict
        .columns(['day', 'project_id', 'fleet_id', 'user_id', 'gpu', 'tags_key'])
        .doUpdateSet(Object.fromEntries(added)),
    )
    .execute();
}
