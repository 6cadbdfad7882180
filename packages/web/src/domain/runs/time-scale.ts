import type { TimelineRow } from './timeline.ts';

/** Places on the time axis, from 0 to 1. */
export interface TimeScale {
  readonly at: (time: number) => number;
}

/**
 * An axis on which a start of a tenth of a second and a run of three days are both visible: the time
 * between two neighbouring changes gets a width that grows with the logarithm of its length. All rows share
 * it, so that what happened at the same time lies at the same place.
 */
export function timeScale(rows: readonly TimelineRow[], now: number): TimeScale {
  const times = rows.flatMap(({ segments }) =>
    segments.flatMap(({ from, to }) => [from, to ?? Math.max(from, now)]),
  );
  const stops = [...new Set(times)].sort((a, b) => a - b);
  const weights = stops.slice(1).map((time, index) => weightOf(time - (stops[index] ?? time)));
  const sums: number[] = [0];
  for (const weight of weights) sums.push((sums.at(-1) ?? 0) + weight);
  const total = sums.at(-1) || 1;
  const places = sums.map((sum) => sum / total);
  return {
    at(time) {
      const after = stops.findIndex((stop) => stop >= time);
      if (after < 0) return 1;
      if (after === 0) return 0;
      const [left = 0, right = 0] = [stops[after - 1], stops[after]];
      const [from = 0, to = 1] = [places[after - 1], places[after]];
      return from + ((time - left) / (right - left || 1)) * (to - from);
    },
  };
}

/** 1 for a moment, about 2 for a second, 5 for a minute, 9 for an hour. */
function weightOf(ms: number): number {
  return 1 + Math.log2(1 + ms / 800) * 0.7;
}
