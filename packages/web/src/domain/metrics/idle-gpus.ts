import type { ChartData } from './chart-data.ts';
import { GPU_USE } from './job-charts.ts';

/** Less use than this share is none: drivers report some. */
const IDLE = 0.02;
/** A GPU that waits for data or a checkpoint is not idle yet. */
const LEAST_SECONDS = 10 * 60;
/** The job does not run any more if its latest measurement is older. */
const RECENT_SECONDS = 2 * 60;

export interface IdleGpus {
  readonly gpus: readonly string[];
  /** How long none of them was used, at least. */
  readonly seconds: number;
}

/** The GPUs of a running job that have not been used for a while; null: there are none. `now`: seconds. */
export function idleGpus(charts: readonly ChartData[], now: number): IdleGpus | null {
  const chart = charts.find(({ title }) => title === GPU_USE);
  const latest = chart?.times.at(-1);
  if (chart === undefined || latest === undefined || now - latest > RECENT_SECONDS) return null;
  const idle = chart.series.flatMap(({ label, values }) => {
    const used = values.findLastIndex((value) => value !== null && value >= IDLE);
    const since = values.findIndex((value, index) => index > used && value !== null);
    const seconds = since < 0 ? 0 : latest - (chart.times[since] ?? latest);
    return seconds >= LEAST_SECONDS ? [{ label, seconds }] : [];
  });
  if (idle.length === 0) return null;
  return {
    gpus: idle.map(({ label }) => label),
    seconds: Math.min(...idle.map(({ seconds }) => seconds)),
  };
}
