import type { Client } from '@dstack/client';
import type { LiveFeed, LiveListener } from './live-state.ts';

/** Between two polls of a server that answers, in ms. */
const POLL_MS = 2000;
/** After failures, in ms; the last one repeats. */
const RETRY_MS = [1000, 2000, 4000, 8000, 15_000];

/** A server that has not answered by then is reported as offline. */
const PROBE_MS = 10_000;

/** A cheap call that shows that the server answers. */
export const serverProbe = (client: Client): Promise<unknown> =>
  client.server.info({ timeoutMs: PROBE_MS });

export interface PollingOptions {
  readonly probe: () => Promise<unknown>;
  readonly now?: () => number;
  readonly setTimer?: (run: () => void, ms: number) => unknown;
  readonly clearTimer?: (timer: unknown) => void;
  readonly isHidden?: () => boolean;
}

/** For servers without a stream: reports a gap at each poll. Hidden tabs do not poll. */
export function pollingFeed(options: PollingOptions): LiveFeed {
  const { probe, now = Date.now } = options;
  const setTimer = options.setTimer ?? ((run, ms) => setTimeout(run, ms));
  const clearTimer = options.clearTimer ?? ((timer) => clearTimeout(timer as number));
  const isHidden = options.isHidden ?? (() => document.visibilityState === 'hidden');
  let poke = () => {};
  return {
    start(listener: LiveListener) {
      let timer: unknown = null;
      let failures = 0;
      let updatedAt: number | null = null;
      let ended = false;
      const later = (ms: number) => {
        clearTimer(timer);
        if (!ended) timer = setTimer(poll, ms);
      };
      const poll = async () => {
        if (isHidden()) return later(POLL_MS);
        try {
          await probe();
          if (ended) return;
          failures = 0;
          updatedAt = now();
          listener.onState({ kind: 'polling', updatedAt });
          listener.onGap();
          later(POLL_MS);
        } catch {
          if (ended) return;
          const ms = RETRY_MS[Math.min(failures, RETRY_MS.length - 1)] ?? POLL_MS;
          failures += 1;
          listener.onState({ kind: 'offline', updatedAt, retryAt: now() + ms });
          later(ms);
        }
      };
      poke = () => later(0);
      later(0);
      return () => {
        ended = true;
        clearTimer(timer);
      };
    },
    retry: () => poke(),
  };
}
