import { Agent, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import { until } from './until.ts';

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

export interface KeptLoad {
  /** Resolves when so many more requests have been answered with 200. */
  readonly answered: (more: number) => Promise<void>;
  /** How many requests had each outcome: a status, `broken` for an answer that broke off, or the code of an error. */
  readonly stop: () => Promise<Record<string, number>>;
}

/** Sends requests without a pause, each caller on a connection that is kept. */
export function keptLoad(
  url: string,
  headers: Readonly<Record<string, string>>,
  callers: number,
): KeptLoad {
  const agent = new Agent({ keepAlive: true, maxSockets: callers });
  const outcomes = new Map<string, number>();
  let isOver = false;
  const ask = () =>
    new Promise<string>((resolve) => {
      const outgoing = request(url, { agent, headers });
      outgoing.on('response', (response) => {
        text(response).then(
          () => resolve(String(response.statusCode)),
          () => resolve('broken'),
        );
      });
      outgoing.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'error'));
      outgoing.end();
    });
  const calls = Array.from({ length: callers }, async () => {
    while (!isOver) {
      const outcome = await ask();
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }
  });
  const count = () => outcomes.get('200') ?? 0;
  return {
    answered: async (more) => {
      const wanted = count() + more;
      await until(async () => count() >= wanted);
    },
    stop: async () => {
      isOver = true;
      await Promise.all(calls);
      agent.destroy();
      return Object.fromEntries(outcomes);
    },
  };
}
