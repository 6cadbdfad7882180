import type { ChartData } from './chart-data.ts';

/** The average of all lines of a chart, between the highest and the lowest of each moment. */
export function spreadOf(chart: ChartData): ChartData {
  const moments = chart.times.map((_, index) =>
    chart.series.flatMap(({ values }) => values[index] ?? []),
  );
  const line = (label: string, of: (known: readonly number[]) => number) => ({
    label,
    values: moments.map((known) => (known.length === 0 ? null : of(known))),
  });
  return {
    ...chart,
    title: `${chart.title} of all GPUs`,
    series: [
      line('Average', (known) => known.reduce((a, b) => a + b) / known.length),
      line('Highest', (known) => known.reduce((a, b) => Math.max(a, b))),
      line('Lowest', (known) => known.reduce((a, b) => Math.min(a, b))),
    ],
    bands: [{ line: 0, high: 1, low: 2 }],
  };
}
