import { type Client, isUnsupported, type StreamedChange } from '@dstack/client';
import { isRefusal } from '../session/refusal.ts';
import type { LiveFeed, LiveListener } from './live-state.ts';
import { Silence } from './silence.ts';

/** Before a lost stream is opened again, in ms; the last one repeats. */
const RETRY_MS = [200, 500, 1000, 2000, 4000, 8000, 15_000];
/** The first attempt is not worth a message: servers end streams when they are replaced. */
const QUIET_ATTEMPTS = 1;
/**
 * The server sends something every 15 s. After a longer silence the connection is dead, whatever the
 * system thinks of it: the process is stopped, or a host on the way has vanished.
 */
const SILENCE_MS = 25_000;

export interface StreamFeedOptions {
  readonly open: Client['changes']['open'];
  /** For servers without the stream. */
  readonly fallback: LiveFeed;
  /** The stream was refused: the session may have ended. */
  readonly onRefused: () => void;
  readonly now?: () => number;
  /** Resolves after the time, or at once when the signal fires. */
  readonly wait?: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Runs the function after the time, unless the returned function is called before. */
  readonly setTimer?: (run: () => void, ms: number) => () => void;
}

/** Changes as the server reports them, over as many connections as needed. */
export function streamFeed(options: StreamFeedOptions): LiveFeed {
  let following: Following | null = null;
  return {
    start(listener) {
      const begun = new Following(options, listener);
      following = begun;
      void begun.run();
      return () => begun.stop();
    },
    retry: () => following?.retry(),
  };
}

/** One stream from its start to its stop. */
class Following {
  readonly #options: StreamFeedOptions;
  readonly #listener: LiveListener;
  readonly #now: () => number;
  readonly #leave = new AbortController();
  readonly #silence: Silence;
  #stopFallback = () => {};
  /** Ends the pause before the next attempt, or an attempt that gets no answer. */
  #poke = new AbortController();
  #after: string | null = null;
  #failures = 0;
  #updatedAt: number | null = null;
  #begun = false;

  constructor(options: StreamFeedOptions, listener: LiveListener) {
    this.#options = options;
    this.#listener = listener;
    this.#now = options.now ?? Date.now;
    const { setTimer = timer } = options;
    this.#silence = new Silence(SILENCE_MS, setTimer);
  }

  stop(): void {
    this.#leave.abort();
    this.#stopFallback();
  }

  retry(): void {
    this.#poke.abort();
    this.#options.fallback.retry();
  }

  async run(): Promise<void> {
    const { wait = pause } = this.#options;
    const left = this.#leave.signal;
    while (!left.aborted) {
      const isFollowed = await this.#follow();
      if (!isFollowed || left.aborted) return;
      const ms = RETRY_MS[Math.min(this.#failures, RETRY_MS.length - 1)] ?? 1000;
      this.#failures += 1;
      if (this.#failures > QUIET_ATTEMPTS) this.#reportOffline(ms);
      this.#poke = new AbortController();
      await wait(ms, AbortSignal.any([left, this.#poke.signal]));
    }
  }

  /** One connection until it ends. False: the server has no such stream, the fallback goes on. */
  async #follow(): Promise<boolean> {
    const { open, fallback, onRefused } = this.#options;
    this.#poke = new AbortController();
    const silent = this.#silence.watch(() => this.#onSilence());
    const end = AbortSignal.any([this.#leave.signal, silent, this.#poke.signal]);
    try {
      for await (const message of open({ after: this.#after }, end)) {
        this.#silence.received();
        // From now on an impatient user gains nothing by another connection.
        this.#poke = new AbortController();
        this.#take(message);
      }
    } catch (error) {
      if (this.#leave.signal.aborted) return false;
      if (isUnsupported(error)) {
        this.#stopFallback = fallback.start(this.#listener);
        return false;
      }
      if (isRefusal(error)) onRefused();
    } finally {
      this.#silence.end();
    }
    return true;
  }

  #take(message: StreamedChange): void {
    this.#failures = 0;
    this.#after = message.id;
    this.#updatedAt = this.#now();
    if (message.kind === 'change') this.#listener.onChange(message.change);
    if (message.kind !== 'notice') return;
    const { notice } = message;
    this.#listener.onState({ kind: 'live', since: this.#updatedAt });
    // Data that was loaded before the stream began may be older than the stream.
    if (notice.event === 'reset' || !notice.resumed || !this.#begun) this.#listener.onGap();
    this.#begun = true;
  }

  /** Reports that the feed is offline: from now on, the data on the page may be outdated. */
  #onSilence(): void {
    this.#failures = Math.max(this.#failures, QUIET_ATTEMPTS);
    this.#reportOffline(0);
  }

  #reportOffline(ms: number): void {
    const retryAt = this.#now() + ms;
    this.#listener.onState({ kind: 'offline', updatedAt: this.#updatedAt, retryAt });
  }
}

function timer(run: () => void, ms: number): () => void {
  const handle = setTimeout(run, ms);
  return () => clearTimeout(handle);
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const handle = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => {
      clearTimeout(handle);
      resolve();
    });
  });
}
