/** The wall clock in microseconds since the epoch, in finer steps than milliseconds. */
export function nowMicros(): number {
  const wall = Date.now();
  const fine = performance.timeOrigin + performance.now();
  // The fine clock does not follow when the wall clock is set or the host has been suspended.
  return Math.round((Math.abs(fine - wall) < 2 ? fine : wall) * 1000);
}

/** Milliseconds since the boot of the host: no step of the wall clock moves it. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint() / 1_000_000n);
}
