import type { JobMetrics } from '@dstack/contract/wire';
import { jobCharts } from './job-charts.ts';

/** How busy a job was in the last minutes: its GPUs on average, or its CPU where it has none. */
export interface RecentUse {
  readonly kind: 'GPU' | 'CPU';
  /** Seconds since 1970, rising. */
  readonly times: readonly number[];
  /** Shares, from 0 to 1. */
  readonly values: readonly (number | null)[];
}

/** Null: nothing was measured. */
export function recentUse(metrics: JobMetrics): RecentUse | null {
  const charts = jobCharts(metrics);
  const gpus = charts.find(({ title }) => title === 'GPU use');
  const chart = gpus ?? charts.find(({ title }) => title === 'CPU');
  if (chart === undefined || chart.times.length === 0) return null;
  return {
    kind: gpus === undefined ? 'CPU' : 'GPU',
    times: chart.times,
    values: chart.times.map((_, index) => {
      const known = chart.series.flatMap(({ values }) => values[index] ?? []);
      return known.length === 0 ? null : known.reduce((sum, value) => sum + value) / known.length;
    }),
  };
}
