import { elapsedText } from '../../ui/time/format-time.ts';
import type { ChartData } from './chart-data.ts';
import { spreadOf } from './spread.ts';

/** What was measured of a run, and when the run began. */
export interface MeasuredRun {
  readonly label: string;
  /** Seconds since 1970. */
  readonly start: number;
  readonly charts: readonly ChartData[];
}

const MEASURES = ['CPU', 'Memory', 'GPU use', 'GPU memory'];
/** Times of a chart; values between them are averaged. */
const MOST_TIMES = 400;
/** Hosts measure every ten seconds, not exactly: in twice that time there is always a value. */
const SHORTEST = 20;

/** Each measure of all runs in one chart, over the time since the start of each. */
export function overlaidCharts(runs: readonly MeasuredRun[]): readonly ChartData[] {
  return MEASURES.flatMap((title): ChartData[] => {
    const lines = runs.flatMap(({ label, start, charts }) => {
      const chart = charts.find((one) => one.title === title);
      if (chart === undefined || chart.times.length === 0) return [];
      const single = chart.series.length < 2 ? chart : spreadOf(chart);
      const times = chart.times.map((time) => Math.max(0, time - start));
      return [{ label, chart: single, times, values: single.series[0]?.values ?? [] }];
    });
    const [first] = lines;
    if (first === undefined) return [];
    const ends = lines.flatMap(({ times }) => [times[0] ?? 0, times.at(-1) ?? 0]);
    const [from, to] = [Math.min(...ends), Math.max(...ends)];
    const step = Math.max(SHORTEST, Math.ceil((to - from) / MOST_TIMES / 10) * 10);
    const begin = Math.floor(from / step) * step;
    const count = Math.floor((to - begin) / step) + 1;
    const { unit, format } = first.chart;
    return [
      {
        ...{ title, unit, format, timeText: timeSinceStart },
        max: unit === '%' ? 1 : null,
        times: Array.from({ length: count }, (_, index) => begin + index * step),
        series: lines.map(({ label, times, values }) => ({
          label,
          values: averages(times, values, { begin, step, count }),
        })),
      },
    ];
  });
}

function averages(
  times: readonly number[],
  values: readonly (number | null)[],
  { begin, step, count }: { readonly begin: number; readonly step: number; readonly count: number },
): readonly (number | null)[] {
  const sums = Array.from({ length: count }, () => ({ sum: 0, known: 0 }));
  for (const [index, time] of times.entries()) {
    const value = values[index] ?? null;
    const part = sums[Math.floor((time - begin) / step)];
    if (value === null || part === undefined) continue;
    part.sum += value;
    part.known += 1;
  }
  return sums.map(({ sum, known }) => (known === 0 ? null : sum / known));
}

function timeSinceStart(seconds: number): string {
  return seconds === 0 ? '0' : elapsedText(seconds * 1000);
}
