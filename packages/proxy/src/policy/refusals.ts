/** How long a replica that refuses connections is avoided. */

/** Doubled from one refusal to the next. Milliseconds. */
const AVOIDED_MS = 1000;
const MAX_AVOIDED_MS = 30_000;

/** An app that has just started may not listen yet; its time does not grow. Milliseconds. */
const STARTING_MS = 10_000;

/** `refusals`: in a row, the latest included. `age`: milliseconds since the app was started. */
export function avoidedMs(refusals: number, age: number): number {
  const exponent = age < STARTING_MS ? 0 : refusals - 1;
  return Math.min(AVOIDED_MS * 2 ** exponent, MAX_AVOIDED_MS);
}
