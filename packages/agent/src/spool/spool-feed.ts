import type { SpoolWriter } from './spool-writer.ts';

/** Where the output comes from: while it is paused, the job waits as soon as its buffers are full. */
export interface OutputSource {
  pause(): void;
  resume(): void;
}

export interface SpoolFeedOptions {
  readonly writer: Pick<SpoolWriter, 'append' | 'retry' | 'skip'>;
  readonly source: () => OutputSource | null;
  /** Milliseconds that a job waits for room on the disk before its output is dropped. */
  readonly patienceMs?: number;
  readonly retryMs?: number;
}

const PATIENCE_MS = 5 * 60_000;
/** The end of a job that is over is waited for no longer than this: somebody waits for the job. */
const END_PATIENCE_MS = 30_000;
const RETRY_MS = 250;

/**
 * Takes a job's output into its spool. While the disk is full the output is not read, so that the
 * job waits rather than losing lines; after five minutes it goes on, and what it prints is dropped
 * until there is room again: a job must not stand still for ever because of what it says.
 */
export class SpoolFeed {
  readonly #options: Required<SpoolFeedOptions>;
  /** Pieces that were on their way when the source was paused. */
  readonly #late: { readonly piece: Buffer; readonly time: number }[] = [];
  #waiting: Promise<void> | null = null;
  #patienceMs: number;
  #since = 0;
  #closed = false;
  /** The wait was in vain: what does not fit is dropped, until something fits. */
  #dropping = false;

  constructor(options: SpoolFeedOptions) {
    this.#options = { patienceMs: PATIENCE_MS, retryMs: RETRY_MS, ...options };
    this.#patienceMs = this.#options.patienceMs;
  }

  /** `time` in microseconds since the epoch. */
  push(piece: Buffer, time: number): void {
    if (this.#waiting) this.#late.push({ piece, time });
    else if (!this.#take(piece, time)) this.#waiting = this.#wait();
  }

  /** Whether something waits for room on the disk. */
  get isWaiting(): boolean {
    return this.#waiting !== null;
  }

  /** Resolves when everything pushed so far is in the spool, or given up. */
  async settled(): Promise<void> {
    await this.#waiting;
  }

  /** The job is over: what is left of its output waits a while, but not as long as the job would. */
  hurry(): void {
    const soon = performance.now() - this.#since + END_PATIENCE_MS;
    this.#patienceMs = Math.min(this.#patienceMs, this.isWaiting ? soon : END_PATIENCE_MS);
  }

  /** What still waits stays out of the spool, for whoever goes on with it. */
  close(): void {
    this.#closed = true;
  }

  #take(piece: Buffer, time: number): boolean {
    if (this.#options.writer.append(piece, time)) {
      this.#dropping = false;
      return true;
    }
    if (this.#dropping) this.#options.writer.skip();
    return this.#dropping;
  }

  async #wait(): Promise<void> {
    const { writer, source, retryMs } = this.#options;
    const paused = source();
    paused?.pause();
    this.#since = performance.now();
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, retryMs));
      if (this.#closed) return;
      if (!writer.retry()) {
        if (performance.now() - this.#since < this.#patienceMs) continue;
        writer.skip();
        this.#dropping = true;
      }
      if (this.#takeLate()) break;
    }
    this.#waiting = null;
    paused?.resume();
  }

  #takeLate(): boolean {
    for (let next = this.#late.shift(); next; next = this.#late.shift()) {
      if (!this.#take(next.piece, next.time)) return false;
    }
    return true;
  }
}
