import { parseToken } from './event-page.ts';
import { Followers } from './followers.ts';
import type { LogPage, PollQuery } from './log-page.ts';
import {
  type AppendResult,
  asLogStoreError,
  type LogNews,
  type LogPiece,
  type LogStatus,
  type LogStore,
  type LogStoreError,
  type LogStreamRef,
  type OutputTime,
  type QuotaBreach,
  type QuotaListener,
} from './log-store.ts';
import { outputTimes, type RawMark } from './raw-marks.ts';
import { StreamCache } from './stream-cache.ts';
import { requireStreamFolder, streamFolder } from './stream-names.ts';

/** One stream, opened. Methods are those of `LogStore`; `skip` and `end` return the length. */
export interface LogStream {
  status(): Promise<LogStatus>;
  append(offset: number, time: number, bytes: Uint8Array): Promise<AppendResult>;
  skip(offset: number, time: number): Promise<number>;
  sync(): Promise<number>;
  end(): Promise<number>;
  readRaw(from: number, max: number): Promise<LogPiece | null>;
  /** Marks of appends that hold the bytes, and none after them. */
  marks(from: number, to: number): Promise<readonly RawMark[]>;
  poll(query: PollQuery): Promise<LogPage>;
}

/** The parameters of a stream, whatever its medium. */
export interface StreamSetup {
  /** Bytes of events per hour, 0 = no limit. */
  readonly quota: number;
  /** Now, in microseconds since the epoch. */
  readonly now: () => number;
  readonly appended: (piece: LogPiece, length: number) => void;
  readonly exceeded: (breach: QuotaBreach) => void;
}

/** The medium of streams. `folder` is `<project>/<run>/<job>`, checked (`streamFolder`). */
export interface LogMedium<S extends LogStream> {
  open(ref: LogStreamRef, folder: string, setup: StreamSetup): Promise<S>;
  /** Writes data in memory: the stream may be opened again. */
  letGo(stream: S): Promise<void>;
  /** `stream` is the stream if it is open. */
  remove(ref: LogStreamRef, folder: string, stream: S | null): Promise<void>;
  /**
   * Calls `listener` for streams that another server has written to; returns a function that stops
   * this.
   */
  subscribe?(listener: (folder: string) => void): () => void;
  /** All streams have been closed. */
  close(): Promise<void>;
}

export interface StreamStoreOptions {
  /** Now, in microseconds since the epoch. */
  readonly now: () => number;
  /** Bytes of events per job and hour (`DSTACK_SERVER_LOG_QUOTA_PER_JOB_HOUR`), 0 = no limit. */
  readonly quotaPerHour: number;
  readonly onQuota: QuotaListener;
  /** A stream could not be synced; it stays unacknowledged and the next sync retries. */
  readonly onSyncError: (ref: LogStreamRef, error: LogStoreError) => void;
  readonly maxOpenStreams?: number;
}

/**
 * Streams are opened when needed, and the longest unused ones are closed, so memory is bounded
 * whatever the number of jobs.
 */
export class StreamStore<S extends LogStream> implements LogStore {
  readonly #medium: LogMedium<S>;
  readonly #options: StreamStoreOptions;
  readonly #streams: StreamCache<S>;
  readonly #followers = new Followers();
  readonly #unsubscribe: (() => void) | undefined;

  constructor(medium: LogMedium<S>, options: StreamStoreOptions) {
    this.#medium = medium;
    this.#options = options;
    const limit = options.maxOpenStreams ?? 12_000;
    this.#streams = new StreamCache(limit, (stream) => medium.letGo(stream));
    this.#unsubscribe = medium.subscribe?.((folder) => void this.#onRemoteWrite(folder));
  }

  async length(ref: LogStreamRef): Promise<number> {
    return (await this.status(ref)).length;
  }

  async status(ref: LogStreamRef): Promise<LogStatus> {
    const found = await this.#read(ref, (stream) => stream.status());
    return found ?? { length: 0, ended: false };
  }

  append(
    ref: LogStreamRef,
    offset: number,
    time: number,
    bytes: Uint8Array,
  ): Promise<AppendResult> {
    return this.#write(ref, 'store output', (stream) => stream.append(offset, time, bytes));
  }

  async skip(ref: LogStreamRef, offset: number, time: number): Promise<void> {
    const length = await this.#write(ref, 'store a gap', (stream) => stream.skip(offset, time));
    this.#followers.notify(requireStreamFolder(ref), { type: 'grew', length });
  }

  async sync(refs: readonly LogStreamRef[]): Promise<Readonly<Record<string, number>>> {
    const durable: Record<string, number> = {};
    await Promise.all(
      refs.map(async (ref) => {
        try {
          durable[ref.jobId] = await this.#write(ref, 'sync', (stream) => stream.sync());
        } catch (error) {
          this.#options.onSyncError(ref, asLogStoreError(error, `sync log ${ref.jobId}`));
        }
      }),
    );
    return durable;
  }

  async readRaw(ref: LogStreamRef, from: number, max: number): Promise<LogPiece | null> {
    return await this.#read(ref, (stream) => stream.readRaw(from, max));
  }

  async readTimes(ref: LogStreamRef, from: number, to: number): Promise<readonly OutputTime[]> {
    const marks = await this.#read(ref, (stream) => stream.marks(from, to));
    return outputTimes(marks ?? [], to);
  }

  follow(ref: LogStreamRef, listener: (news: LogNews) => void): () => void {
    return this.#followers.add(requireStreamFolder(ref), listener);
  }

  async end(ref: LogStreamRef): Promise<void> {
    const length = await this.#write(ref, 'end log', (stream) => stream.end());
    this.#followers.notify(requireStreamFolder(ref), { type: 'ended', length });
  }

  async poll(ref: LogStreamRef, query: PollQuery): Promise<LogPage> {
    parseToken(query.nextToken);
    const page = await this.#read(ref, (stream) => stream.poll(query));
    return page ?? { events: [], nextToken: null };
  }

  async delete(ref: LogStreamRef): Promise<void> {
    const folder = streamFolder(ref);
    if (!folder) return;
    const stream = (await this.#streams.take(folder)?.catch(() => null)) ?? null;
    try {
      await this.#medium.remove(ref, folder, stream);
    } catch (error) {
      throw asLogStoreError(error, `delete log ${ref.jobId}`);
    }
    this.#followers.notify(folder, { type: 'ended', length: 0 });
  }

  async close(): Promise<void> {
    this.#unsubscribe?.();
    try {
      for (const opening of this.#streams.takeAll()) {
        const stream = await opening;
        await stream.sync();
        await this.#medium.letGo(stream);
      }
    } catch (error) {
      throw asLogStoreError(error, 'close logs');
    } finally {
      await this.#medium.close();
    }
  }

  async #onRemoteWrite(folder: string): Promise<void> {
    if (!this.#followers.has(folder)) return;
    const [project, run, jobId] = folder.split('/');
    if (!project || !run || !jobId) return;
    try {
      const { length, ended } = await this.status({ project, run, jobId });
      this.#followers.notify(folder, { type: ended ? 'ended' : 'grew', length });
    } catch {
      // The reader detects this itself: it reads the store again when it is notified.
      this.#followers.notify(folder, { type: 'grew', length: 0 });
    }
  }

  async #write<T>(ref: LogStreamRef, attempt: string, task: (stream: S) => Promise<T>): Promise<T> {
    const folder = requireStreamFolder(ref);
    return await this.#use(folder, ref, `${attempt} of job ${ref.jobId}`, task);
  }

  async #read<T>(ref: LogStreamRef, task: (stream: S) => Promise<T>): Promise<T | null> {
    const folder = streamFolder(ref);
    return folder ? await this.#use(folder, ref, `read log of job ${ref.jobId}`, task) : null;
  }

  async #use<T>(
    folder: string,
    ref: LogStreamRef,
    attempt: string,
    task: (stream: S) => Promise<T>,
  ): Promise<T> {
    try {
      return await this.#streams.use(folder, () => this.#open(folder, ref), task);
    } catch (error) {
      throw asLogStoreError(error, attempt);
    }
  }

  #open(folder: string, ref: LogStreamRef): Promise<S> {
    return this.#medium.open(ref, folder, {
      quota: this.#options.quotaPerHour,
      now: this.#options.now,
      appended: (piece, length) => this.#followers.notify(folder, { type: 'piece', piece, length }),
      exceeded: (breach) => this.#options.onQuota(ref, breach),
    });
  }
}
