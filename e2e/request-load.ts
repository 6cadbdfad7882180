import { setTimeout as delay } from 'node:timers/promises';
import { onTestFinished } from 'vitest';

/**
 * The pause of each loop between two requests, which leaves the processor to what is tested. Requests still
 * meet an outage of a few milliseconds.
 */
const PAUSE_MS = 10;

export interface LoadCounts {
  answered: number;
  /** The result of each failed request, or the text of its error. */
  readonly failed: unknown[];
}

/**
 * Sends requests in three loops, one after another in each, until the returned function is called,
 * which gives what was counted. `ask`: one request; null if it was answered well.
 */
export function requestLoad(ask: () => Promise<unknown>): () => Promise<LoadCounts> {
  const counts: LoadCounts = { answered: 0, failed: [] };
  let isOver = false;
  const loops = [1, 2, 3].map(async () => {
    while (!isOver) {
      const failure = await ask().catch(String);
      if (failure === null) counts.answered += 1;
      else counts.failed.push(failure);
      await delay(PAUSE_MS);
    }
  });
  const end = async () => {
    isOver = true;
    await Promise.all(loops);
    return counts;
  };
  onTestFinished(() => void end());
  return end;
}
