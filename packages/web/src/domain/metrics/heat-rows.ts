import type { ChartData } from './chart-data.ts';

/** One GPU: its averages over equal parts of the time, as shares of the top of the chart. */
export interface HeatRow {
  readonly label: string;
  /** Null: nothing was measured in this part. */
  readonly cells: readonly (number | null)[];
  /** The last value, in words. */
  readonly latest: string;
}

const CELLS = 60;
/** A host has sixteen GPUs at most, each of which may be in seven parts. */
const MOST_ROWS = 112;

/** A row for each line of a chart, so that one that differs is seen among many. */
export function heatRows({ times, series, max, format }: ChartData): readonly HeatRow[] {
  const [first = 0, last = first] = [times[0], times.at(-1)];
  const cellOf = (time: number) =>
    last === first ? 0 : Math.min(CELLS - 1, Math.floor(((time - first) / (last - first)) * CELLS));
  return series.slice(0, MOST_ROWS).map(({ label, values }) => {
    const cells = Array.from({ length: CELLS }, () => ({ sum: 0, count: 0 }));
    for (const [index, time] of times.entries()) {
      const [cell, value] = [cells[cellOf(time)], values[index]];
      if (cell === undefined || value == null) continue;
      cell.sum += value;
      cell.count += 1;
    }
    const latest = values.findLast((value) => value !== null) ?? null;
    return {
      label,
      cells: cells.map(({ sum, count }) => (count === 0 ? null : sum / count / (max ?? 1))),
      latest: latest === null ? '–' : format(latest),
    };
  });
}
