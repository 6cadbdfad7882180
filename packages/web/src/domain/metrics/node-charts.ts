import type { ChartData, ChartSeries } from './chart-data.ts';
import { GPU_USE } from './job-charts.ts';
import { spreadOf } from './spread.ts';

/** The measurements of one job of several. */
export interface NodeMetrics {
  readonly job: string;
  readonly charts: readonly ChartData[];
}

/** One measure of all jobs, each in a chart of its own with the same axes. */
export interface NodeCharts {
  readonly title: string;
  readonly charts: readonly ChartData[];
}

/** A measure for each row: lines of single GPUs give way to their average and range. */
export function nodeCharts(nodes: readonly NodeMetrics[]): readonly NodeCharts[] {
  const measures = ['CPU', 'Memory', GPU_USE, 'GPU memory'];
  const ends = nodes.flatMap(({ charts }) => charts.flatMap(({ times }) => endsOf(times)));
  const first = ends.reduce((a, b) => Math.min(a, b), Infinity);
  const last = ends.reduce((a, b) => Math.max(a, b), -Infinity);
  return measures.flatMap((title) => {
    const own = nodes.flatMap(({ job, charts }) => {
      const chart = charts.find((one) => one.title === title);
      if (chart === undefined) return [];
      return [{ ...(chart.series.length < 2 ? chart : spreadOf(chart)), title, job }];
    });
    const max = highest(own.map((chart) => chart.max ?? highest(allValues(chart.series))));
    return own.length === 0
      ? []
      : [{ title, charts: own.map((chart) => ({ ...within(chart, first, last), max })) }];
  });
}

const endsOf = (times: readonly number[]): readonly number[] => [
  ...times.slice(0, 1),
  ...times.slice(-1),
];

/** The chart with holes up to both ends, so that charts beside each other show the same time. */
function within(chart: ChartData, first: number, last: number): ChartData {
  const before = (chart.times[0] ?? Infinity) > first ? 1 : 0;
  const after = (chart.times.at(-1) ?? -Infinity) < last ? 1 : 0;
  if (!Number.isFinite(first) || before + after === 0) return chart;
  const padded = <T>(items: readonly T[], start: T, end: T): readonly T[] => [
    ...(before === 1 ? [start] : []),
    ...items,
    ...(after === 1 ? [end] : []),
  ];
  return {
    ...chart,
    times: padded(chart.times, first, last),
    series: chart.series.map((one) => ({ ...one, values: padded(one.values, null, null) })),
  };
}

const allValues = (series: readonly ChartSeries[]): readonly number[] =>
  series.flatMap(({ values }) => values.filter((value) => value !== null));

const highest = (values: readonly (number | null)[]): number | null =>
  values.reduce<number | null>((a, b) => (a === null || (b ?? a) > a ? b : a), null);
