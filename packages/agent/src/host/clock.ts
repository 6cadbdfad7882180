/** Microseconds since the epoch by the wall clock, in finer steps than its milliseconds. */
export function nowMicros(): number {
  const wall = Date.now();
  const fine = performance.timeOrigin + performance.now();
  // The fine clock does not follow when the machine's clock is set or the machine has slept.
  return Math.round((Math.abs(fine - wall) < 2 ? fine : wall) * 1000);
}
