/** Durations of all requests since the process started, for a histogram whose counts never fall. */
export interface LatencyTotals {
  readonly seconds: number;
  /** How many were within each of `LATENCY_BOUNDS` and above the one before; the last one: longer than all. */
  readonly counts: readonly number[];
}

/** Seconds. */
export const LATENCY_BOUNDS: readonly number[] = [
  ...[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300],
];

export const NO_LATENCIES: LatencyTotals = {
  seconds: 0,
  counts: Array(LATENCY_BOUNDS.length + 1).fill(0),
};

/** The index of the count that a duration belongs to. */
export function durationBucket(seconds: number): number {
  const found = LATENCY_BOUNDS.findIndex((bound) => seconds <= bound);
  return found < 0 ? LATENCY_BOUNDS.length : found;
}

/** Counts of other builds may be of another number. */
export function sumOfLatencies(one: LatencyTotals, other: LatencyTotals): LatencyTotals {
  const counts = NO_LATENCIES.counts.map((_, n) => (one.counts[n] ?? 0) + (other.counts[n] ?? 0));
  return { seconds: one.seconds + other.seconds, counts };
}

/** The lines of a histogram in Prometheus' text, for one set of labels. */
export function histogramLines(
  name: string,
  labels: Readonly<Record<string, string>>,
  { seconds, counts }: LatencyTotals,
): string[] {
  const text = Object.entries(labels).map(([label, value]) => `${label}="${escaped(value)}"`);
  let total = 0;
  const lines = counts.map((count, n) => {
    total += count;
    const le = n < LATENCY_BOUNDS.length ? String(LATENCY_BOUNDS[n]) : '+Inf';
    return `${name}_bucket{${[...text, `le="${le}"`].join(',')}} ${total}`;
  });
  const end = `{${text.join(',')}}`;
  return [...lines, `${name}_sum${end} ${seconds}`, `${name}_count${end} ${total}`];
}

function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
