import type { ChartData } from './chart-data.ts';

/** The values of all charts with the time of each row, for programs that calculate: shares are in percent. */
export function chartsCsv(charts: readonly ChartData[]): string {
  const columns = charts.flatMap(({ job, title, times, series, unit }) =>
    series.map(({ label, values }) => ({
      name: [job, title, title === label ? null : label, `(${unit})`].filter(Boolean).join(' '),
      values: new Map(times.map((time, index) => [time, values[index] ?? null])),
      factor: unit === '%' ? 100 : 1,
    })),
  );
  const times = [...new Set(charts.flatMap((chart) => chart.times))].sort((a, b) => a - b);
  const rows = times.map((time) => [
    new Date(time * 1000).toISOString(),
    ...columns.map(({ values, factor }) => numberText(values.get(time) ?? null, factor)),
  ]);
  return [['time', ...columns.map(({ name }) => name)], ...rows]
    .map((row) => `${row.join(',')}\r\n`)
    .join('');
}

/** Without the last digits of what binary fractions cannot express. */
function numberText(value: number | null, factor: number): string {
  return value === null ? '' : String(Number((value * factor).toPrecision(12)));
}
