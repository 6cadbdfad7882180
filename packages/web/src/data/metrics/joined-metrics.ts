import type { JobMetrics } from '@dstack/contract/wire';

type Metric = JobMetrics['metrics'][number];

/** Older measurements with newer ones before them, newest first; none from before `from` (ms). */
export function joinedMetrics(older: JobMetrics, newer: JobMetrics, from: number): JobMetrics {
  const names = new Set([...newer.metrics, ...older.metrics].map(({ name }) => name));
  const find = ({ metrics }: JobMetrics, name: string) =>
    metrics.find((metric) => metric.name === name);
  return {
    metrics: [...names].map((name) => joined(name, find(newer, name), find(older, name), from)),
  };
}

function joined(
  name: string,
  newer: Metric | undefined,
  older: Metric | undefined,
  from: number,
): Metric {
  const known = new Set(newer?.timestamps);
  const kept = (older?.timestamps ?? []).flatMap((time, index) =>
    known.has(time) || Date.parse(time) < from ? [] : [index],
  );
  return {
    name,
    timestamps: [...(newer?.timestamps ?? []), ...kept.map((at) => older?.timestamps[at] ?? '')],
    values: [...(newer?.values ?? []), ...kept.map((at) => older?.values[at] ?? 0)],
  };
}

/** The time of the newest measurement; null: there is none. */
export function newestTime({ metrics }: JobMetrics): string | null {
  const newest = metrics.flatMap(({ timestamps }) => timestamps.slice(0, 1));
  return newest.reduce<string | null>(
    (a, b) => (a === null || Date.parse(b) > Date.parse(a) ? b : a),
    null,
  );
}
