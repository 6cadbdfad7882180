import { inBackground } from '@dstack/store';
import type { Logger } from '../process/logging.ts';

/**
 * How the work on a key ended. The key is enough to find the work again; nothing else is stored.
 */
export type WorkEnding =
  /** Nothing left to do until the next signal. */
  | { readonly ending: 'done' }
  /**
   * Another writer was faster: the decision is stale, and a new one is made at once; after many
   * conflicts in a row, after a short delay.
   */
  | { readonly ending: 'conflict' }
  /** Another server works on it: look again when its lease may be free. This does not count as a failure. */
  | { readonly ending: 'held'; readonly ms: number }
  /** It failed; try again with back-off. A null error is not logged. */
  | { readonly ending: 'retry'; readonly error: unknown };

/** Works on a key: a pass, or the effect of an intent. */
export type KeyWork = (key: string) => Promise<WorkEnding>;

export interface QueueDepth {
  readonly waiting: number;
  readonly running: number;
  readonly delayed: number;
}

export interface WorkQueueOptions {
  readonly name: string;
  readonly concurrency: number;
  readonly work: KeyWork;
  readonly log: Logger;
  /** Called with the ending of each pass and its duration in seconds. */
  readonly onEnd?: ((ending: WorkEnding['ending'], seconds: number) => void) | undefined;
  /** Delay in milliseconds before attempt n (from 1) of a key that keeps failing. */
  readonly backoff?: (attempt: number) => number;
  readonly setTimer?: (callback: () => void, ms: number) => NodeJS.Timeout;
}

/** Passes end within seconds, except those that create and terminate machines. */
const LONG_MINUTES = 5;

/**
 * A decision on present records is seldom refused twice. A key with more conflicts in a row than this
 * gets delays, so that a decision that can never be written does not occupy the server.
 */
const CONFLICTS_AT_ONCE = 10;

/** Short, because the writers that cause conflicts may be many users. */
const LONGEST_CONFLICT_DELAY_MS = 1000;

/**
 * A set of keys that are worked on with bounded concurrency. A key has at most one pass at a time;
 * a key that is added during its pass gets exactly one more pass after it, so that no signal is
 * lost and many signals cost one pass.
 */
export class WorkQueue {
  readonly #options: WorkQueueOptions;
  readonly #waiting = new Set<string>();
  readonly #running = new Set<string>();
  readonly #again = new Set<string>();
  readonly #failures = new Map<string, number>();
  /** Conflicts in a row. */
  readonly #conflicts = new Map<string, number>();
  readonly #retries = new Map<string, NodeJS.Timeout>();
  #closed = false;
  #idle: (() => void)[] = [];

  constructor(options: WorkQueueOptions) {
    this.#options = options;
  }

  add(key: string): void {
    if (this.#closed) return;
    this.#cancelRetry(key);
    if (this.#running.has(key)) this.#again.add(key);
    else this.#waiting.add(key);
    this.#fill();
  }

  /** A key that waits for another try is tried now. */
  hasten(key: string): void {
    if (this.#retries.has(key)) this.add(key);
  }

  /** Keys that wait, that are in work, and that wait for another try; for metrics. */
  get depth(): QueueDepth {
    return {
      waiting: this.#waiting.size,
      running: this.#running.size,
      delayed: this.#retries.size,
    };
  }

  /** Accepts no new work and resolves when the passes under way have ended. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#waiting.clear();
    for (const key of [...this.#retries.keys()]) this.#cancelRetry(key);
    if (this.#running.size > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  #fill(): void {
    for (const key of this.#waiting) {
      if (this.#running.size >= this.#options.concurrency) return;
      this.#waiting.delete(key);
      this.#running.add(key);
      // The signal may have come from a request, which does not wait for this.
      void inBackground(() => this.#work(key));
    }
  }

  async #work(key: string): Promise<void> {
    const started = performance.now();
    const watch = this.#watch(key);
    const ending = await this.#pass(key);
    clearTimeout(watch);
    this.#options.onEnd?.(ending.ending, (performance.now() - started) / 1000);
    this.#running.delete(key);
    if (ending.ending === 'done') this.#failures.delete(key);
    const conflicts = this.#countConflicts(key, ending);
    const isRepeated = conflicts > 0 && conflicts <= CONFLICTS_AT_ONCE;
    if (this.#again.delete(key) || isRepeated) this.add(key);
    else if (conflicts > 0) this.#addLater(key, this.#conflictDelay(key, conflicts));
    else if (ending.ending === 'held') this.#addLater(key, ending.ms);
    else if (ending.ending === 'retry') this.#retryLater(key);
    this.#fill();
    if (this.#running.size === 0) for (const wake of this.#idle.splice(0)) wake();
  }

  async #pass(key: string): Promise<WorkEnding> {
    try {
      const ending = await this.#options.work(key);
      if (ending.ending === 'retry' && ending.error !== null) this.#logFailure(key, ending.error);
      return ending;
    } catch (error) {
      this.#logFailure(key, error);
      return { ending: 'retry', error };
    }
  }

  /**
   * A pass has no deadline, because it cannot be interrupted halfway. This log line makes a stuck
   * one visible.
   */
  #watch(key: string): NodeJS.Timeout {
    const { log, name: queue } = this.#options;
    const warn = () =>
      log.warn({ queue, key }, `pass has been under way for ${LONG_MINUTES} minutes`);
    return setTimeout(warn, LONG_MINUTES * 60_000).unref();
  }

  #logFailure(key: string, error: unknown): void {
    this.#options.log.warn({ queue: this.#options.name, key, err: error }, 'pass failed');
  }

  /** The conflicts in a row, with this ending. */
  #countConflicts(key: string, { ending }: WorkEnding): number {
    if (ending !== 'conflict') {
      this.#conflicts.delete(key);
      return 0;
    }
    const conflicts = (this.#conflicts.get(key) ?? 0) + 1;
    this.#conflicts.set(key, conflicts);
    return conflicts;
  }

  #conflictDelay(key: string, conflicts: number): number {
    const attempt = conflicts - CONFLICTS_AT_ONCE;
    const { log, name: queue } = this.#options;
    if (attempt === 1) log.warn({ queue, key }, `${CONFLICTS_AT_ONCE} decisions were stale`);
    return Math.min(LONGEST_CONFLICT_DELAY_MS, this.#backoff(attempt));
  }

  #retryLater(key: string): void {
    const attempt = (this.#failures.get(key) ?? 0) + 1;
    this.#failures.set(key, attempt);
    this.#addLater(key, this.#backoff(attempt));
  }

  #backoff(attempt: number): number {
    return (this.#options.backoff ?? defaultBackoff)(attempt);
  }

  #addLater(key: string, delay: number): void {
    if (this.#closed) return;
    const setTimer = this.#options.setTimer ?? setTimeout;
    this.#retries.set(
      key,
      setTimer(() => {
        this.#retries.delete(key);
        this.add(key);
      }, delay),
    );
  }

  #cancelRetry(key: string): void {
    clearTimeout(this.#retries.get(key));
    this.#retries.delete(key);
  }
}

/** 100 ms, 200 ms, … up to 30 s. */
function defaultBackoff(attempt: number): number {
  return Math.min(30_000, 100 * 2 ** (attempt - 1));
}
