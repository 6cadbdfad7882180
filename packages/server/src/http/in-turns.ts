/**
 * Maps long lists in turns, so that other requests run between them: the server has one thread, and
 * a hundred runs with hundreds of jobs would block it for a second.
 */
import { setImmediate } from 'node:timers/promises';

/** Milliseconds of work in one turn. */
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
