import type { DecisionContext, Timestamp, Unobserved } from '../model/index.ts';

/** More than servers that restart every few minutes make within the longest fixed limit of silence. */
const MOST = 64;

/**
 * The times and one more: oldest first, without overlaps. Of too many, the two oldest become one of the length of both, which
 * ends as the later one: what waited before them is still credited with both.
 */
export function withUnobserved(
  times: readonly Unobserved[],
  { from, until }: Unobserved,
): readonly Unobserved[] {
  const touches = (one: Unobserved) => one.from <= until && from <= one.until;
  const touched = times.filter(touches);
  const merged = {
    from: Math.min(from, ...touched.map((one) => one.from)),
    until: Math.max(until, ...touched.map((one) => one.until)),
  };
  const all = [...times.filter((one) => !touches(one)), merged].sort((a, b) => a.from - b.from);
  const [first, second, ...rest] = all;
  if (all.length <= MOST || first === undefined || second === undefined) return all;
  return [{ from: second.from - (first.until - first.from), until: second.until }, ...rest];
}

/** Without what lies ahead of `now`: a clock that was wrong has recorded it. */
export function unobservedUntil(
  times: readonly Unobserved[],
  now: Timestamp,
): readonly Unobserved[] {
  if (times.every(({ until }) => until <= now)) return times;
  return times
    .filter(({ from }) => from < now)
    .map(({ from, until }) => ({ from, until: Math.min(until, now) }));
}

/** Since when everything that others do is noticed; 0 = always. */
export function observedSince({ unobserved }: Pick<DecisionContext, 'unobserved'>): Timestamp {
  return unobserved?.at(-1)?.until ?? 0;
}
