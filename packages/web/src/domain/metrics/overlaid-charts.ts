import { elapsedText } from '../../ui/time/format-time.ts';
import type { ChartData } from './chart-data.ts';
import { spreadOf } from './spread.ts';

/** The measurements of the jobs of a run, and when the jobs began. */
export interface MeasuredRun {
  readonly label: string;
  /** Seconds since 1970. */
  readonly start: number;
  /** The charts of each job. */
  readonly jobs: readonly (readonly ChartData[])[];
}

const MEASURES = ['CPU', 'Memory', 'GPU use', 'GPU memory'];
/** Times of a chart; values between them are averaged. */
const MOST_TIMES = 400;

/**
 * Each measure of all runs in one chart, over the time since the start of each: a run of several jobs as their
 * average, between the highest and the lowest. `shortest`: seconds in which there is always a value.
 */
export function overlaidCharts(
  runs: readonly MeasuredRun[],
  shortest: number,
): readonly ChartData[] {
  return MEASURES.flatMap((title): ChartData[] => {
    const measured = runs.flatMap(({ label, start, jobs }) => {
      const lines = jobs.flatMap((charts) => lineOf(charts, title, start));
      return lines.length === 0 ? [] : [{ label, lines }];
    });
    const [first] = measured.flatMap(({ lines }) => lines);
    if (first === undefined) return [];
    const ends = measured.flatMap(({ lines }) =>
      lines.flatMap(({ times }) => [times[0] ?? 0, times.at(-1) ?? 0]),
    );
    const [from, to] = [Math.min(...ends), Math.max(...ends)];
    const step = Math.max(shortest, Math.ceil((to - from) / MOST_TIMES / 10) * 10);
    const begin = Math.floor(from / step) * step;
    const count = Math.floor((to - begin) / step) + 1;
    const { unit, format } = first.chart;
    const chart: ChartData = {
      ...{ title, unit, format, timeText: timeSinceStart },
      max: unit === '%' ? 1 : null,
      times: Array.from({ length: count }, (_, index) => begin + index * step),
      series: [],
    };
    return [
      measured.reduce(
        (drawn, { label, lines }) => withRun(drawn, label, lines, { begin, step, count }),
        chart,
      ),
    ];
  });
}

interface Line {
  readonly chart: ChartData;
  /** Seconds since the start. */
  readonly times: readonly number[];
  readonly values: readonly (number | null)[];
}

/** The line of a job in the chart with this title: of several GPUs, their average. */
function lineOf(charts: readonly ChartData[], title: string, start: number): Line | [] {
  const chart = charts.find((one) => one.title === title);
  if (chart === undefined || chart.times.length === 0) return [];
  const single = chart.series.length < 2 ? chart : spreadOf(chart);
  const times = chart.times.map((time) => Math.max(0, time - start));
  return { chart: single, times, values: single.series[0]?.values ?? [] };
}

interface Steps {
  readonly begin: number;
  readonly step: number;
  readonly count: number;
}

function withRun(chart: ChartData, label: string, lines: readonly Line[], steps: Steps): ChartData {
  const series = lines.map(({ times, values }) => ({
    label,
    values: averages(times, values, steps),
  }));
  if (series.length < 2) return { ...chart, series: [...chart.series, ...series] };
  const place = chart.series.length;
  const [average, highest, lowest] = spreadOf({ ...chart, series }).series;
  if (average === undefined || highest === undefined || lowest === undefined) return chart;
  return {
    ...chart,
    series: [
      ...chart.series,
      { ...average, label },
      { ...highest, label: `${label}, highest` },
      { ...lowest, label: `${label}, lowest` },
    ],
    bands: [...(chart.bands ?? []), { line: place, high: place + 1, low: place + 2 }],
  };
}

function averages(
  times: readonly number[],
  values: readonly (number | null)[],
  { begin, step, count }: Steps,
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
