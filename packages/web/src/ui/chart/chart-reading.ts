/** The value at a place; the latest one that is known if there is none, so that a legend is never empty. */
export function readingAt(
  values: readonly (number | null | undefined)[],
  index: number | null,
): number | null {
  if (index !== null) return values[index] ?? null;
  return values.findLast((value) => value != null) ?? null;
}

/**
 * The time that an axis shows, given the part that the library would show: all data, or what the reader has
 * zoomed into. All data are shown within the whole chosen time, however short they are.
 */
export function timeRange(
  times: readonly number[],
  [low, high]: readonly [low: number, high: number],
  span: number | null,
): [low: number, high: number] {
  const isAll = low === times[0] && high === times.at(-1);
  return span === null || !isAll ? [low, high] : [Math.min(low, high - span), high];
}
