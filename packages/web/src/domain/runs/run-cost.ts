const HOUR_MS = 3_600_000;

/** USD at a time (ms), from what was known at an earlier one and USD per hour. */
export function costAt(
  known: { readonly cost: number; readonly at: number },
  price: number,
  now: number,
): number {
  return known.cost + (price * Math.max(0, now - known.at)) / HOUR_MS;
}
