/** Metrics of a job as series, newest first. */

import type { JobMetrics as Point } from '@dstack/contract/agent';
import { type JobMetricsQuery, notExists } from '@dstack/contract/api';
import { formatTimestamp, type Metric } from '@dstack/contract/wire';
import type { JobRecord } from '@dstack/core';
import type { ProjectRecord } from '@dstack/store';
import type { HttpDeps } from '../ports.ts';

/** Metrics of the latest submission of that job. Fewer than two points make no series. */
export async function jobMetrics(
  deps: HttpDeps,
  project: ProjectRecord,
  runName: string,
  query: JobMetricsQuery,
): Promise<Metric[]> {
  const job = await findJob(deps, project, runName, query);
  const points = await deps.store.metrics.jobPoints(job.id, {
    after: query.after,
    before: query.before,
    // CPU use is a difference of two points.
    limit: Math.max(0, query.limit) + 1,
  });
  return points.length < 2 ? [] : series(points, job);
}

async function findJob(
  deps: HttpDeps,
  project: ProjectRecord,
  runName: string,
  query: JobMetricsQuery,
): Promise<JobRecord> {
  const { runs, jobs } = deps.store;
  const view =
    query.run_id === null ? await runs.byName(project.id, runName) : await runs.byId(query.run_id);
  const isFound = view !== null && view.run.projectId === project.id;
  const job = isFound ? await jobs.latest(view.run.id, query.replica_num, query.job_num) : null;
  if (job === null) throw notExists('Found no job with given parameters');
  return job;
}

/** The oldest point is only used for the difference. */
export function series(points: readonly Point[], job: JobRecord): Metric[] {
  const shown = points.slice(0, -1);
  const timestamps = shown.map((point) => formatTimestamp(point.timestamp_micro));
  const metric = (name: string, values: number[]): Metric => ({ name, timestamps, values });
  const each = (name: string, value: (point: Point) => number) => metric(name, shown.map(value));
  const constant = (name: string, value: number) => each(name, () => value);
  const machine = job.provisioningData?.instance_type.resources;
  return [
    metric('cpu_usage_percent', cpuPercents(points)),
    each('memory_usage_bytes', (point) => point.memory_usage_bytes),
    each('memory_working_set_bytes', (point) => point.memory_working_set_bytes),
    ...(machine === undefined
      ? []
      : [
          constant('cpus_detected_num', job.runtimeData?.cpu ?? machine.cpus),
          constant('memory_total_bytes', memoryBytes(job, machine.memory_mib)),
        ]),
    ...gpuSeries(shown, job, each, constant),
  ];
}

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;

/** The job's share of a divided instance, otherwise all of it. */
function memoryBytes(job: JobRecord, machineMib: number): number {
  const share = job.runtimeData?.memory ?? null;
  return Math.round(share === null ? machineMib * MIB : share * GIB);
}

/** 100 = one core, whole percents; times and uses are microseconds. */
function cpuPercents(points: readonly Point[]): number[] {
  return points.slice(0, -1).map((point, i) => {
    const before = points[i + 1] ?? point;
    const elapsed = point.timestamp_micro - before.timestamp_micro;
    const used = point.cpu_usage_micro - before.cpu_usage_micro;
    return elapsed <= 0 ? 0 : Math.max(0, Math.round((used / elapsed) * 100));
  });
}

/** Omitted if the number of GPUs changed within the window. */
function gpuSeries(
  shown: readonly Point[],
  job: JobRecord,
  each: (name: string, value: (point: Point) => number) => Metric,
  constant: (name: string, value: number) => Metric,
): Metric[] {
  const count = shown[0]?.gpus.length ?? 0;
  if (shown.some((point) => point.gpus.length !== count)) return [];
  const detected = constant('gpus_detected_num', count);
  if (count === 0) return [detected];
  const total = job.provisioningData?.instance_type.resources.gpus[0]?.memory_mib ?? 0;
  const perGpu = Array.from({ length: count }, (_, i) => [
    each(`gpu_memory_usage_bytes_gpu${i}`, (point) => point.gpus[i]?.memory_usage_bytes ?? 0),
    each(`gpu_util_percent_gpu${i}`, (point) => point.gpus[i]?.util_percent ?? 0),
  ]);
  return [detected, constant('gpu_memory_total_bytes', total * MIB), ...perGpu.flat()];
}
