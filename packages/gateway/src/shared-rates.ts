import { MOST_WAITED_MS } from '@dstack/contract/agent';
import { SharedRates } from '@dstack/proxy';
import type { ServerQuestions } from './server-questions.ts';

export interface ReplicaRatesOptions {
  readonly questions: Pick<ServerQuestions, 'ask'>;
  /** How many replicas of the gateway the server counts for; 1 = this one counts alone. */
  readonly replicas: () => number;
  /** Milliseconds. */
  readonly now: () => number;
}

/** The most that the protocol carries. */
const MOST_BURST = 10_000_000;
/** A request waits no longer (ms) for a server that does not answer. */
const LIMIT_MS = 1000;
/** Such a server is not asked again for this time (ms). */
const PAUSE_MS = 5000;

/** Rate limits that the server counts for all replicas of the gateway. */
export function sharedRates({ questions, replicas, now }: ReplicaRatesOptions): SharedRates {
  let failedAt: number | null = null;
  const isPaused = () => failedAt !== null && Math.abs(now() - failedAt) < PAUSE_MS;
  return new SharedRates({
    processes: replicas,
    now,
    ask: async ({ key, rate, service, most, waitedMs }) => {
      if (isPaused()) return null;
      // Limits of tokens are those of no service.
      const run_id = service.startsWith('token ') ? null : service;
      const { rps, burst } = rate;
      const question = {
        type: 'rate',
        run_id,
        key,
        rps,
        burst: Math.min(Math.round(burst), MOST_BURST),
        most,
        waited_ms: Math.min(Math.round(waitedMs), MOST_WAITED_MS),
      } as const;
      const asked = now();
      try {
        const { granted, wait_ms } = await questions.ask<'rate'>(question, LIMIT_MS);
        return { granted, waitMs: wait_ms };
      } catch {
        // Without a connection the question fails at once, and may be asked with the next request.
        if (now() - asked >= LIMIT_MS) failedAt = now();
        return null;
      }
    },
  });
}
