import type { LogFrame, ServerFrame } from '@dstack/contract/agent';
import type { Id } from '@dstack/core';
import type { Store } from '@dstack/store';
import type { LogStore, LogStreamRef } from '../logs/log-store.ts';
import type { Logger } from '../process/logging.ts';
import type { JobStream } from './job-streams.ts';

export interface LogIntakeOptions {
  readonly logs: LogStore;
  readonly store: Store;
  readonly send: (frame: ServerFrame) => void;
  readonly log: Logger;
}

interface Stream extends JobStream {
  /** Stored, but perhaps lost in a power cut. */
  dirty: boolean;
  /** Bytes received since credit was last given. */
  taken: number;
  /** Offset after the last piece that the store accepted. */
  reached: number;
  /** Final length, once the agent has reported that the job exited. */
  end: number | null;
}

/** Stored output is made durable, and acknowledged, this often; at once when a job has ended. */
const SYNC_MS = 1000;

/**
 * Credit is returned in pieces of this size: often enough not to stall, and not after every frame.
 */
const CREDIT_STEP = 256 * 1024;

/**
 * Handles the log pieces of one host's link: stores them, acknowledges durable ones, returns
 * credit, and reports when the output of an ended job is complete.
 */
export class LogIntake {
  readonly #options: LogIntakeOptions;
  readonly #streams = new Map<Id, Stream>();
  #timer: NodeJS.Timeout | undefined;
  #syncing: Promise<void> = Promise.resolve();

  constructor(options: LogIntakeOptions) {
    this.#options = options;
  }

  /** Offset to send again from, if bytes before this piece are missing. */
  async take(job: JobStream, frame: LogFrame): Promise<{ readonly rewindTo: number | null }> {
    const stream = this.#stream(job);
    const { logs } = this.#options;
    const result = await logs.append(stream.ref, frame.offset, frame.time, frame.bytes);
    stream.reached = result.length;
    if (result.gapFrom !== null) return { rewindTo: result.gapFrom };
    stream.dirty = true;
    stream.taken += frame.bytes.length;
    if (stream.taken >= CREDIT_STEP) {
      this.#options.send({ type: 'credit', id: frame.id, bytes: stream.taken });
      stream.taken = 0;
    }
    if (stream.end !== null && result.length >= stream.end) await this.sync();
    else this.#timer ??= setTimeout(() => this.#syncSoon(), SYNC_MS).unref();
    return { rewindTo: null };
  }

  async skip(job: JobStream, offset: number, time: number): Promise<void> {
    await this.#options.logs.skip(this.#stream(job).ref, offset, time);
  }

  /**
   * The job has exited and will have written this many bytes. True: all of them are stored, and its run is
   * signalled.
   */
  async ended(job: JobStream, end: number): Promise<boolean> {
    const stream = this.#stream(job);
    stream.end = end;
    stream.dirty = true;
    await this.sync();
    return this.#streams.get(job.ref.jobId) !== stream;
  }

  /** Makes everything received so far durable, then notifies agent and engine. */
  async sync(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#syncing = this.#syncing.catch(() => {}).then(() => this.#syncNow());
    await this.#syncing;
  }

  async close(): Promise<void> {
    try {
      await this.sync();
    } finally {
      clearTimeout(this.#timer);
    }
  }

  #stream(job: JobStream): Stream {
    const found = this.#streams.get(job.ref.jobId);
    if (found) return found;
    const stream: Stream = { ...job, dirty: false, taken: 0, reached: 0, end: null };
    this.#streams.set(job.ref.jobId, stream);
    return stream;
  }

  #syncSoon(): void {
    this.sync().catch((error) => {
      this.#options.log.warn({ err: error }, 'logs could not be made durable');
      this.#timer ??= setTimeout(() => this.#syncSoon(), SYNC_MS).unref();
    });
  }

  async #syncNow(): Promise<void> {
    const dirty = [...this.#streams.values()].filter((stream) => stream.dirty);
    if (dirty.length === 0) return;
    const refs: LogStreamRef[] = dirty.map((stream) => stream.ref);
    for (const stream of dirty) stream.dirty = false;
    // Read before the sync: more may arrive meanwhile.
    const reached = dirty.map((stream) => stream.reached);
    const lengths = await this.#lengths(dirty, refs);
    this.#options.send({ type: 'ack', logs: lengths });
    const failures: unknown[] = [];
    for (const [index, stream] of dirty.entries()) {
      const stored = lengths[stream.ref.jobId];
      try {
        if (stored === undefined) this.#tryAgain(stream);
        else {
          if (stored < (reached[index] ?? 0)) this.#rewindTo(stream, stored);
          await this.#finish(stream, stored);
        }
      } catch (error) {
        failures.push(error);
        this.#tryAgain(stream);
      }
    }
    if (failures.length > 0) throw failures[0];
  }

  /**
   * Its store accepts nothing now (a full disk): there may be no further output that would cause
   * another try.
   */
  #tryAgain(stream: Stream): void {
    stream.dirty = true;
    this.#timer ??= setTimeout(() => this.#syncSoon(), SYNC_MS).unref();
  }

  /**
   * If another server has written meanwhile, the store has dropped the bytes that it had not yet
   * stored.
   */
  #rewindTo(stream: Stream, stored: number): void {
    stream.reached = stored;
    this.#options.send({ type: 'rewind', id: stream.ref.jobId, offset: stored });
  }

  async #lengths(dirty: Stream[], refs: readonly LogStreamRef[]) {
    try {
      return await this.#options.logs.sync(refs);
    } catch (error) {
      for (const stream of dirty) stream.dirty = true;
      throw error;
    }
  }

  /** A complete log ends its stream and lets the job's run end too. */
  async #finish(stream: Stream, stored: number): Promise<void> {
    if (stream.end === null || stored < stream.end) return;
    await this.#options.logs.end(stream.ref);
    await this.#options.store.reports.saveLogEnd(stream.ref.jobId, stored, {
      signals: [{ kind: 'run', id: stream.runId }],
    });
    this.#streams.delete(stream.ref.jobId);
  }
}
