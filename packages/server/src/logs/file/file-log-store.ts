import { rm, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type LogPage, type PollQuery, parseToken } from '../event-page.ts';
import { Followers } from '../followers.ts';
import {
  type AppendResult,
  asLogStoreError,
  type LogNews,
  type LogPiece,
  type LogStatus,
  type LogStore,
  type LogStoreError,
  type LogStreamRef,
  type QuotaListener,
} from '../log-store.ts';
import { StreamCache } from '../stream-cache.ts';
import { requireStreamFolder, streamFolder } from '../stream-names.ts';
import { FileStream } from './file-stream.ts';
import { OpenFiles } from './open-files.ts';

export interface FileLogStoreOptions {
  /** Folder of all logs, e.g. `<server dir>/logs`. */
  readonly root: string;
  /** Now, in microseconds since the epoch. */
  readonly now: () => number;
  /** Bytes of events per job and hour (`DSTACK_SERVER_LOG_QUOTA_PER_JOB_HOUR`), 0 = no limit. */
  readonly quotaPerHour: number;
  readonly onQuota: QuotaListener;
  /** A stream could not be synced; it stays unacknowledged and the next sync tries again. */
  readonly onSyncError: (ref: LogStreamRef, error: LogStoreError) => void;
  readonly segmentBytes?: number;
  readonly maxOpenFiles?: number;
  readonly maxOpenStreams?: number;
}

/**
 * Logs in files: `<root>/<project>/<run>/<job submission>/`. Streams are opened when they are needed
 * and the longest unused ones are let go, so memory and open files have a bound whatever the number
 * of jobs. One process only may have the folder (the server's lock file sees to that).
 */
export class FileLogStore implements LogStore {
  readonly #options: FileLogStoreOptions;
  readonly #files: OpenFiles;
  readonly #streams: StreamCache<FileStream>;
  readonly #followers = new Followers();

  constructor(options: FileLogStoreOptions) {
    this.#options = options;
    this.#files = new OpenFiles(options.maxOpenFiles ?? 2048);
    this.#streams = new StreamCache(options.maxOpenStreams ?? 12_000, (stream) => stream.flush());
  }

  async length(ref: LogStreamRef): Promise<number> {
    return (await this.status(ref)).length;
  }

  async status(ref: LogStreamRef): Promise<LogStatus> {
    const found = await this.#read(ref, async ({ length, ended }) => ({ length, ended }));
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
    const folder = requireStreamFolder(ref);
    const length = await this.#write(ref, 'store a gap', async (stream) => {
      await stream.skip(offset, time);
      return stream.length;
    });
    this.#followers.tell(folder, { type: 'grew', length });
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

  follow(ref: LogStreamRef, listener: (news: LogNews) => void): () => void {
    return this.#followers.add(requireStreamFolder(ref), listener);
  }

  async end(ref: LogStreamRef): Promise<void> {
    const length = await this.#write(ref, 'end log', async (stream) => {
      await stream.end();
      return stream.length;
    });
    this.#followers.tell(requireStreamFolder(ref), { type: 'ended', length });
  }

  async poll(ref: LogStreamRef, query: PollQuery): Promise<LogPage> {
    parseToken(query.nextToken);
    const page = await this.#read(ref, (stream) => stream.poll(query));
    return page ?? { events: [], nextToken: null };
  }

  async delete(ref: LogStreamRef): Promise<void> {
    const folder = streamFolder(ref);
    if (!folder) return;
    // Waits for what is under way.
    await this.#streams
      .take(folder)
      ?.then((stream) => stream.flush())
      .catch(() => {});
    const dir = join(this.#options.root, folder);
    await this.#files.forget(dir);
    try {
      await rm(dir, { recursive: true, force: true });
    } catch (error) {
      throw asLogStoreError(error, `delete log ${ref.jobId}`);
    }
    // The run's folder goes with its last log.
    await rmdir(dirname(dir)).catch(() => {});
    this.#followers.tell(folder, { type: 'ended', length: 0 });
  }

  async close(): Promise<void> {
    try {
      for (const stream of this.#streams.takeAll()) await (await stream).sync();
    } catch (error) {
      throw asLogStoreError(error, 'close logs');
    } finally {
      await this.#files.close();
    }
  }

  async #write<T>(
    ref: LogStreamRef,
    attempt: string,
    task: (stream: FileStream) => Promise<T>,
  ): Promise<T> {
    const folder = requireStreamFolder(ref);
    return await this.#use(folder, ref, `${attempt} of job ${ref.jobId}`, task);
  }

  async #read<T>(ref: LogStreamRef, task: (stream: FileStream) => Promise<T>): Promise<T | null> {
    const folder = streamFolder(ref);
    return folder ? await this.#use(folder, ref, `read log of job ${ref.jobId}`, task) : null;
  }

  async #use<T>(
    folder: string,
    ref: LogStreamRef,
    attempt: string,
    task: (stream: FileStream) => Promise<T>,
  ): Promise<T> {
    try {
      return await this.#streams.use(folder, () => this.#open(folder, ref), task);
    } catch (error) {
      throw asLogStoreError(error, attempt);
    }
  }

  #open(folder: string, ref: LogStreamRef): Promise<FileStream> {
    return FileStream.open({
      dir: join(this.#options.root, folder),
      files: this.#files,
      segmentBytes: this.#options.segmentBytes ?? 16 * 1024 * 1024,
      quota: this.#options.quotaPerHour,
      now: this.#options.now,
      appended: (piece, length) => this.#followers.tell(folder, { type: 'piece', piece, length }),
      exceeded: (breach) => this.#options.onQuota(ref, breach),
    });
  }
}
