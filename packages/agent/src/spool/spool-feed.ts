import type { SpoolWriter } from './spool-writer.ts';

/** The source of the output. While it is paused, the job blocks as soon as its buffers are full. */
export interface OutputSource {
  pause(): void;
  resume(): void;
}

export interface SpoolFeedOptions {
  readonly writer: Pick<SpoolWriter, 'append' | 'retry' | 'skip'>;
  readonly source: () => OutputSource | null;
  /** Milliseconds that a job waits for space on the disk before its output is dropped. */
  readonly patienceMs?: number;
  readonly retryMs?: number;
}

const PATIENCE_MS = 5 * 60_000;
/** The limit for the rest of an ended job's output, because its exit waits for it. */
const END_PATIENCE_MS = 30_000;
const RETRY_MS = 250;

/**
 * Writes a job's output to its spool. While the disk is full the output is not read, so that the
 * job waits instead of losing lines. After five minutes the job continues and its output is dropped
 * until there is space: output must not block a job for ever.
 */
export class SpoolFeed {
  readonly #options: Required<SpoolFeedOptions>;
  /** Pieces that arrived after the source was paused. */
  readonly #late: { readonly piece: Buffer; readonly time: number }[] = [];
  #waiting: Promise<void> | null = null;
  #patienceMs: number;
  #since = 0;
  #closed = false;
  /** The wait has timed out: drop what does not fit, until something fits. */
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

  /** Whether output waits for space on the disk. */
  get isWaiting(): boolean {
    return this.#waiting !== null;
  }

  /** Resolves when everything pushed so far is in the spool or dropped. */
  async settled(): Promise<void> {
    await this.#waiting;
  }

  /**
   * The job has ended: the rest of its output waits for space, but not as long as the job would.
   */
  hurry(): void {
    const soon = performance.now() - this.#since + END_PATIENCE_MS;
    this.#patienceMs = Math.min(this.#patienceMs, this.isWaiting ? soon : END_PATIENCE_MS);
  }

  /** Output that still waits is not written; the next owner of the spool continues. */
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
