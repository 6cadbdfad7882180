/** The metrics of several jobs over a long time. */
import type { JobMetrics as Point } from '@dstack/contract/agent';
import { type MetricsHistoryRequest, notExists } from '@dstack/contract/api';
import {
  formatTimestamp,
  type JobHistory,
  type Metric,
  type MetricsHistory,
} from '@dstack/contract/wire';
import type { JobRecord } from '@dstack/core';
import type { ProjectRecord } from '@dstack/store';
import type { HttpDeps } from '../ports.ts';
import { series } from './service.ts';

/** Points of all jobs that one answer is calculated from; over a longer time they are spread evenly. */
const MOST_POINTS = 8000;

const SECOND = 1_000_000;
const DAY = 86_400;
/** Seconds; agents measure every ten seconds, not exactly: in twice that time there is always a value. */
const STEPS = [20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14_400, 21_600, 43_200, DAY];

export async function metricsHistory(
  { store }: HttpDeps,
  project: ProjectRecord,
  query: MetricsHistoryRequest,
): Promise<MetricsHistory> {
  const view = await store.runs.byId(query.run_id);
  if (view === null || view.run.projectId !== project.id) throw notExists('Run not found');
  const found = new Map<string, JobRecord>();
  for (const { replica_num, job_num } of query.jobs) {
    const job = await store.jobs.latest(view.run.id, replica_num, job_num);
    if (job !== null) found.set(job.id, job);
  }
  const measured: { readonly job: JobRecord; readonly points: readonly Point[] }[] = [];
  for (const job of found.values()) {
    const most = Math.floor(MOST_POINTS / found.size);
    const points = await store.metrics.spreadJobPoints(job.id, { after: query.after, most });
    // CPU use is a difference of two points.
    if (points.length > 1) measured.push({ job, points });
  }
  const times = measured.flatMap(({ points }) => [timeOf(points.at(-1)), timeOf(points[0])]);
  const span = times.length === 0 ? 0 : Math.max(...times) - Math.min(...times);
  const step = stepOf(span / SECOND, query.points);
  return {
    step_seconds: step,
    jobs: measured.map(({ job, points }) => historyOf(job, series(points, job), step)),
  };
}

const timeOf = (point: Point | undefined): number => point?.timestamp_micro ?? 0;

/** The shortest step with which a time in seconds has at most so many. */
function stepOf(span: number, most: number): number {
  // Neither the first nor the last one needs to be whole.
  const least = span / (most - 1);
  return STEPS.find((step) => step >= least) ?? Math.ceil(least / DAY) * DAY;
}

function historyOf(job: JobRecord, metrics: readonly Metric[], step: number): JobHistory {
  const steps = metrics[0]?.timestamps.map((time) => Math.floor(Date.parse(time) / 1000 / step));
  // All of them have the same times, newest first.
  const places = new Map([...new Set(steps)].reverse().map((one, place) => [one, place]));
  return {
    job_submission_id: job.id,
    timestamps: [...places.keys()].map((one) => formatTimestamp(one * step * SECOND)),
    metrics: metrics.map(({ name, values }) => {
      const means = [...places].map(() => ({ sum: 0, count: 0 }));
      values.forEach((value, index) => {
        const mean = means[places.get(steps?.[index] ?? 0) ?? 0];
        if (mean === undefined) return;
        mean.sum += value;
        mean.count += 1;
      });
      return { name, values: means.map(({ sum, count }) => rounded(sum / count)) };
    }),
  };
}

/** More digits would be the greater part of the answer. */
const rounded = (value: number): number => Math.round(value * 100) / 100;
