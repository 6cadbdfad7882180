import { type Client, isUnsupported } from '@dstack/client';
import { isRefusal } from '../session/refusal.ts';
import type { LiveFeed, LiveListener } from './live-state.ts';

/** Before a lost stream is opened again, in ms; the last one repeats. */
const RETRY_MS = [200, 500, 1000, 2000, 4000, 8000, 15_000];
/** The first attempt is not worth a message: servers end streams when they are replaced. */
const QUIET_ATTEMPTS = 1;

export interface StreamFeedOptions {
  readonly open: Client['changes']['open'];
  /** For servers without the stream. */
  readonly fallback: LiveFeed;
  /** The stream was refused: the session may have ended. */
  readonly onRefused: () => void;
  readonly now?: () => number;
  /** Resolves after the time, or at once when the signal fires. */
  readonly wait?: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** Changes as the server reports them, over as many connections as needed. */
export function streamFeed(options: StreamFeedOptions): LiveFeed {
  const { open, fallback, onRefused, now = Date.now, wait = pause } = options;
  let poke = new AbortController();
  return {
    start(listener) {
      const leave = new AbortController();
      let stopFallback = () => {};
      const run = async () => {
        let after: string | null = null;
        let failures = 0;
        let updatedAt: number | null = null;
        let begun = false;
        while (!leave.signal.aborted) {
          try {
            for await (const message of open({ after }, leave.signal)) {
              failures = 0;
              after = message.id;
              updatedAt = now();
              if (message.kind === 'change') listener.onChange(message.change);
              else if (message.kind === 'notice') {
                const { notice } = message;
                listener.onState({ kind: 'live', since: updatedAt });
                // What was loaded before the stream began may be older than the stream.
                if (notice.event === 'reset' || !notice.resumed || !begun) listener.onGap();
                begun = true;
              }
            }
          } catch (error) {
            if (leave.signal.aborted) return;
            if (isUnsupported(error)) {
              stopFallback = fallback.start(listener);
              return;
            }
            if (isRefusal(error)) onRefused();
          }
          if (leave.signal.aborted) return;
          const ms = RETRY_MS[Math.min(failures, RETRY_MS.length - 1)] ?? 1000;
          failures += 1;
          if (failures > QUIET_ATTEMPTS) {
            listener.onState({ kind: 'offline', updatedAt, retryAt: now() + ms });
          }
          poke = new AbortController();
          await wait(ms, AbortSignal.any([leave.signal, poke.signal]));
        }
      };
      void run();
      return () => {
        leave.abort();
        stopFallback();
      };
    },
    retry() {
      poke.abort();
      fallback.retry();
    },
  } satisfies { start: (listener: LiveListener) => () => void; retry: () => void };
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
