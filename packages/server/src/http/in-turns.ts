/**
 * Long lists, with room for other requests between their parts. The server has one thread, and a
 * hundred runs of hundreds of jobs take it for a second.
 */
import { setImmediate } from 'node:timers/promises';

/** Milliseconds of work in one go. */
const TURN_MS = 8;

export async function mapInTurns<T, R>(items: readonly T[], map: (item: T) => R): Promise<R[]> {
  const results: R[] = [];
  let began = performance.now();
  for (const item of items) {
    if (performance.now() - began > TURN_MS) {
      await setImmediate();
      began = performance.now();
    }
    results.push(map(item));
  }
  return results;
}
