import type { JobMetrics } from '@dstack/contract/agent';
import { type RawBuilder, sql } from 'kysely';
import { forIds } from '../base/query.ts';
import { recordChange } from '../changes/record-change.ts';
import { isForeignKeyViolation } from '../connection/failures.ts';
import type { StoreContext } from '../context/context.ts';
import { type MetricsPointRow, pointTable } from '../schema/work-tables.ts';
import type { Metrics } from './types.ts';

const POINT_COLUMNS = [
  'job_id',
  'timestamp_micro',
  'cpu_usage_micro',
  'memory_usage_bytes',
  'memory_working_set_bytes',
  'gpus',
] as const;

export function createMetrics({ db, bus }: StoreContext): Metrics {
  async function insert(points: readonly MetricsPointRow[]): Promise<void> {
    if (points.length === 0) return;
    await db
      .insertInto('job_metrics_points')
      .values(points.map(pointTable.insert))
      .onConflict((conflict) => conflict.columns(['job_id', 'timestamp_micro']).doNothing())
      .execute();
  }

  return {
    async addJobPoints(points) {
      const rows = points.map(({ jobId, metrics }) => fromMetrics(jobId, metrics));
      try {
        await insert(rows);
      } catch (error) {
        if (!isForeignKeyViolation(error)) throw error;
        // One of the jobs was deleted: keep the points of the others.
        const known = await forIds(
          rows.map((row) => row.jobId),
          (slice) => db.selectFrom('jobs').select('id').where('id', 'in', slice).execute(),
        );
        const ids = new Set(known.map((row) => row.id));
        await insert(rows.filter((row) => ids.has(row.jobId)));
      }
      const changes = [...new Set(rows.map((row) => row.jobId))].map((id) =>
        recordChange('metrics', id),
      );
      bus.deliverChanges(changes);
      bus.announceProgress(changes);
    },
    async jobPoints(jobId, range) {
      const of = async (
        table: 'job_metrics_points' | 'job_metrics_means',
        limit: number | null,
      ) => {
        let query = db
          .selectFrom(table)
          .select(POINT_COLUMNS)
          .where('job_id', '=', jobId)
          .orderBy('timestamp_micro', 'desc');
        if (typeof range.after === 'number')
          query = query.where('timestamp_micro', '>=', range.after);
        if (typeof range.before === 'number') {
          query = query.where('timestamp_micro', '<', range.before);
        }
        if (limit !== null) query = query.limit(limit);
        return (await query.execute()).map((row) => toMetrics(pointTable.decode(row)));
      };
      const limit = typeof range.limit === 'number' ? range.limit : null;
      const points = await of('job_metrics_points', limit);
      if (points.length === limit) return points;
      const means = await of('job_metrics_means', limit === null ? null : limit - points.length);
      // Measurements of a host that was unreachable may come when later ones have been condensed.
      return [...points, ...means].sort((a, b) => b.timestamp_micro - a.timestamp_micro);
    },
    async spreadJobPoints(jobId, { after, most }) {
      const columns = sql.join(POINT_COLUMNS.map((column) => sql.ref(column)));
      const ofJob = (table: string) => sql`from ${sql.table(table)} where job_id = ${jobId}`;
      const [points, means] = [ofJob('job_metrics_points'), ofJob('job_metrics_means')];
      const first = (from: RawBuilder<unknown>) => sql`(select min(at) from (
        select min(timestamp_micro) as at ${points} and timestamp_micro >= ${from}
        union all select min(timestamp_micro) ${means} and timestamp_micro >= ${from}) firsts)`;
      const last = sql`(select max(at) from (select max(timestamp_micro) as at ${points}
        union all select max(timestamp_micro) ${means}) lasts)`;
      const gaps = sql.lit(Math.max(1, most - 1));
      // Each step goes from a point to the next one that is far enough away by the index, so that the points
      // between them cost nothing.
      const { rows } = await sql<object>`
        with recursive ends(low, high) as (
          select ${first(sql`${after ?? 0}`)}, ${last}
        ), chosen(at, gap, high) as (
          select low, case when high - low > ${gaps} then (high - low) / ${gaps} else 1 end, high from ends
          union all
          select ${first(sql`chosen.at + gap`)}, gap, high
          from chosen where chosen.at < high
        )
        select ${columns} ${points} and timestamp_micro in (select at from chosen)
        union all select ${columns} ${means} and timestamp_micro in (select at from chosen)
        order by timestamp_micro desc`.execute(db);
      return rows.map((row) => toMetrics(pointTable.decode(row)));
    },
    async lastJobPoints(jobIds) {
      const rows = await forIds(jobIds, (slice) =>
        db
          .selectFrom('job_metrics_points as p')
          .selectAll('p')
          .where('p.job_id', 'in', slice)
          .where('p.timestamp_micro', '=', (eb) =>
            eb
              .selectFrom('job_metrics_points as q')
              .select((inner) => inner.fn.max('q.timestamp_micro').as('newest'))
              .whereRef('q.job_id', '=', 'p.job_id'),
          )
          .execute(),
      );
      return new Map(
        rows.map((row) => {
          const point = pointTable.decode(row);
          return [point.jobId, toMetrics(point)];
        }),
      );
    },
  };
}

function fromMetrics(jobId: string, metrics: JobMetrics): MetricsPointRow {
  return {
    jobId,
    timestampMicro: metrics.timestamp_micro,
    cpuUsageMicro: metrics.cpu_usage_micro,
    memoryUsageBytes: metrics.memory_usage_bytes,
    memoryWorkingSetBytes: metrics.memory_working_set_bytes,
    gpus: metrics.gpus,
  };
}

function toMetrics(row: MetricsPointRow): JobMetrics {
  return {
    timestamp_micro: row.timestampMicro,
    cpu_usage_micro: row.cpuUsageMicro,
    memory_usage_bytes: row.memoryUsageBytes,
    memory_working_set_bytes: row.memoryWorkingSetBytes,
    gpus: row.gpus,
  };
}
