import { UNFINISHED_JOB_STATUSES } from '@dstack/contract/status';
import type { Id, Timestamp } from '@dstack/core';
import { sql } from 'kysely';
import type { StoreContext, Tx } from '../context/context.ts';
import { type MetricsPointRow, pointTable } from '../schema/work-tables.ts';
import type { MetricCutoffs, Retention } from './types.ts';

const MINUTE = 60;
const HOUR = 3600;
const MICROS = 1_000_000;

/** Jobs that one step looks for: each costs a read, a write and a deletion at least. */
const MOST_JOBS = 50;

/** A measurement, or the mean of several. */
interface Weighted extends MetricsPointRow {
  readonly points: number;
}

/**
 * Measurements become means of minutes, these become means of hours. A step replaces the old rows of
 * a job by the new ones in one transaction, so that each moment is stored once.
 */
export function createMetricMeans(context: StoreContext): Pick<Retention, 'condenseMetrics'> {
  return {
    async condenseMetrics(cutoffs, limit) {
      for (const table of ['job_metrics_points', 'job_metrics_means'] as const) {
        const dueJobs = await due(context, table, cutoffs);
        for (const [jobId, before] of dueJobs) {
          await context.write(({ tx }) => condense(tx, { table, jobId, before, cutoffs, limit }));
        }
        if (dueJobs.size > 0) return dueJobs.size;
      }
      return 0;
    },
  };
}

/** The jobs with rows to condense, and the time before which they are. */
async function due(
  { db }: StoreContext,
  table: 'job_metrics_points' | 'job_metrics_means',
  { running, finished, minutes }: MetricCutoffs,
): Promise<ReadonlyMap<Id, Timestamp>> {
  if (table === 'job_metrics_means') {
    const before = wholeSlots(minutes, HOUR);
    const { rows } = await sql<{ job_id: Id }>`select job_id from job_metrics_means
      where seconds = ${MINUTE} and timestamp_micro < ${before}
      order by timestamp_micro limit ${sql.lit(MOST_JOBS)}`.execute(db);
    return new Map(rows.map(({ job_id }) => [job_id, before]));
  }
  const [ofRunning, ofFinished] = [wholeSlots(running, MINUTE), wholeSlots(finished, MINUTE)];
  const unfinished = sql.join(UNFINISHED_JOB_STATUSES.map((status) => sql.lit(status)));
  // Points of running jobs are found by their key, because those of finished ones, kept longer, lie between.
  const long = await sql<{ job_id: Id }>`select id as job_id from jobs
    where status in (${unfinished}) and exists (select 1 from job_metrics_points
      where job_id = jobs.id and timestamp_micro < ${ofRunning})
    limit ${sql.lit(MOST_JOBS)}`.execute(db);
  const old = await sql<{ job_id: Id }>`select p.job_id from job_metrics_points p
    join jobs j on j.id = p.job_id and j.status not in (${unfinished})
    where p.timestamp_micro < ${ofFinished}
    order by p.timestamp_micro limit ${sql.lit(MOST_JOBS)}`.execute(db);
  return new Map([
    ...long.rows.map(({ job_id }) => [job_id, ofRunning] as const),
    ...old.rows.map(({ job_id }) => [job_id, ofFinished] as const),
  ]);
}

/** Only whole minutes or hours are condensed, each at once. */
const wholeSlots = (time: Timestamp, seconds: number): Timestamp => {
  const slot = seconds * MICROS;
  return Math.floor(time / slot) * slot;
};

interface Condensed {
  readonly table: 'job_metrics_points' | 'job_metrics_means';
  readonly jobId: Id;
  readonly before: Timestamp;
  readonly cutoffs: MetricCutoffs;
  readonly limit: number;
}

async function condense(
  tx: Tx,
  { table, jobId, before, cutoffs, limit }: Condensed,
): Promise<void> {
  const ofMeans = table === 'job_metrics_means' ? sql`and seconds = ${MINUTE}` : sql``;
  const { rows } = await sql<object & { readonly points?: number }>`
    select * from ${sql.table(table)}
    where job_id = ${jobId} and timestamp_micro < ${before} ${ofMeans}
    order by timestamp_micro limit ${sql.lit(limit)}`.execute(tx);
  const points = rows.map((row) => ({ ...pointTable.decode(row), points: row.points ?? 1 }));
  const slots = Map.groupBy(points, (point) => slotOf(point.timestampMicro, cutoffs));
  const last = points.at(-1);
  if (last === undefined) return;
  // The end of a cut list may be half of a slot.
  if (rows.length === limit && slots.size > 1) slots.delete(slotOf(last.timestampMicro, cutoffs));
  const done = Math.max(...[...slots.values()].flat().map((point) => point.timestampMicro));
  await sql`delete from ${sql.table(table)}
    where job_id = ${jobId} and timestamp_micro <= ${done} ${ofMeans}`.execute(tx);
  const means = [...slots].flatMap(([slot, inSlot]) => {
    const seconds = slot.startsWith('h') ? HOUR : MINUTE;
    const mean = meanOf(inSlot);
    // These measurements were condensed too late to be kept.
    return mean.timestampMicro < cutoffs.hours ? [] : [{ ...mean, seconds }];
  });
  if (means.length === 0) return;
  await tx
    .insertInto('job_metrics_means')
    .values(
      means.map(({ seconds, points, ...row }) => ({ ...pointTable.insert(row), seconds, points })),
    )
    .onConflict((conflict) => conflict.columns(['job_id', 'timestamp_micro']).doNothing())
    .execute();
}

/** The minute or hour of a measurement, by its age. */
function slotOf(time: Timestamp, { minutes }: MetricCutoffs): string {
  const hour = wholeSlots(time, HOUR);
  return time < wholeSlots(minutes, HOUR) ? `h${hour}` : `m${wholeSlots(time, MINUTE)}`;
}

/** CPU use is a sum since the start of the job: the last value is right for the time of the last. */
function meanOf(points: readonly Weighted[]): Weighted {
  const [first, ...rest] = points;
  if (first === undefined) throw new Error('a mean of nothing');
  const last = rest.at(-1) ?? first;
  const count = points.reduce((sum, point) => sum + point.points, 0);
  const mean = (value: (point: Weighted) => number) =>
    Math.round(points.reduce((sum, point) => sum + value(point) * point.points, 0) / count);
  return {
    jobId: last.jobId,
    timestampMicro: last.timestampMicro,
    cpuUsageMicro: last.cpuUsageMicro,
    memoryUsageBytes: mean((point) => point.memoryUsageBytes),
    memoryWorkingSetBytes: mean((point) => point.memoryWorkingSetBytes),
    gpus: last.gpus.map((_, index) => ({
      memory_usage_bytes: mean((point) => point.gpus[index]?.memory_usage_bytes ?? 0),
      util_percent: mean((point) => point.gpus[index]?.util_percent ?? 0),
    })),
    points: count,
  };
}
