import { withTimeout } from '@dstack/contract/with-timeout';
import { EngineHung } from './host-caused.ts';

/**
 * The longest time for which a start waits for one answer of the engine. A busy disk can delay an answer
 * by minutes; only a daemon that hangs delays it for longer.
 */
const ANSWER_MS = 300_000;
/** After this time the wait for an answer is worth a report. */
const SLOW_MS = 20_000;

/** Receives what a start has been waiting for; null once it has come. */
export type OnSlow = (awaited: string | null) => void;

export interface Patience {
  readonly ms?: number;
  readonly slowMs?: number;
  readonly onSlow?: OnSlow;
  /** Ends the wait, but only for an answer that is slow: one that comes soon leaves nothing undone. */
  readonly signal?: AbortSignal;
}

/**
 * The engine's answer. Throws `EngineHung` if there is none in time; a later answer is ignored. `ask` receives a signal
 * that is aborted then: with it a request that is repeated gives its connection back.
 */
export async function inTime<T>(
  attempt: string,
  ask: (abandoned: AbortSignal) => PromiseLike<T>,
  { ms = ANSWER_MS, slowMs = SLOW_MS, onSlow = () => {}, signal }: Patience = {},
): Promise<T> {
  const awaited = `an answer of the Docker daemon (${attempt}), for at most ${ms / 1000} seconds`;
  const early = new AbortController();
  const onAbort = (): void => early.abort(signal?.reason);
  let isSlow = false;
  const slow = setTimeout(() => {
    isSlow = true;
    onSlow(awaited);
    if (signal?.aborted) onAbort();
    else signal?.addEventListener('abort', onAbort);
  }, slowMs);
  try {
    return await withTimeout(ask, {
      ms,
      signal: early.signal,
      onTimeout: () => {
        throw new EngineHung(attempt, ms / 1000);
      },
    });
  } finally {
    clearTimeout(slow);
    signal?.removeEventListener('abort', onAbort);
    if (isSlow) onSlow(null);
  }
}
