import type { LogPage, PollQuery } from '../event-page.ts';
import { parseToken } from '../event-page.ts';
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
import type { BlobLogTables, LogSignals } from './blob-log-tables.ts';
import { TableStream } from './table-stream.ts';

export interface TableLogStoreOptions {
  readonly tables: BlobLogTables;
  /** Carries news to readers on other servers. */
  readonly signals: LogSignals;
  /** Now, in microseconds since the epoch. */
  readonly now: () => number;
  /** Bytes of events per job and hour (`DSTACK_SERVER_LOG_QUOTA_PER_JOB_HOUR`), 0 = no limit. */
  readonly quotaPerHour: number;
  readonly onQuota: QuotaListener;
  /** A stream could not be synced; it stays unacknowledged and the next sync tries again. */
  readonly onSyncError: (ref: LogStreamRef, error: LogStoreError) => void;
  readonly maxOpenStreams?: number;
}

/** Logs in a table of the database, for servers that share one. */
export class TableLogStore implements LogStore {
  readonly #options: TableLogStoreOptions;
  readonly #streams: StreamCache<TableStream>;
  readonly #followers = new Followers();
  readonly #unsubscribe: () => void;

  constructor(options: TableLogStoreOptions) {
    this.#options = options;
    this.#streams = new StreamCache(options.maxOpenStreams ?? 12_000, (stream) => stream.close());
    this.#unsubscribe = options.signals.subscribe((name) => this.#heard(name));
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
    const folder = requireStreamFolder(ref);
    await this.#write(ref, 'store a gap', (stream) => stream.skip(offset, time));
    this.#followers.tell(folder, { type: 'grew', length: offset });
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
    const length = await this.#write(ref, 'end log', (stream) => stream.end());
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
    (await this.#streams.take(folder)?.catch(() => null))?.abandon();
    try {
      await this.#options.tables.delete(ref.jobId);
    } catch (error) {
      throw asLogStoreError(error, `delete log ${ref.jobId}`);
    }
    this.#followers.tell(folder, { type: 'ended', length: 0 });
  }

  async close(): Promise<void> {
    this.#unsubscribe();
    try {
      for (const stream of this.#streams.takeAll()) await (await stream).close();
    } catch (error) {
      throw asLogStoreError(error, 'close logs');
    }
  }

  async #heard(name: string): Promise<void> {
    if (!this.#followers.has(name)) return;
    const [project, run, jobId] = name.split('/');
    if (!project || !run || !jobId) return;
    try {
      const { length, ended } = await this.status({ project, run, jobId });
      this.#followers.tell(name, { type: ended ? 'ended' : 'grew', length });
    } catch {
      // The reader finds out by itself: it reads the store again on being woken.
      this.#followers.tell(name, { type: 'grew', length: 0 });
    }
  }

  async #write<T>(
    ref: LogStreamRef,
    attempt: string,
    task: (stream: TableStream) => Promise<T>,
  ): Promise<T> {
    const folder = requireStreamFolder(ref);
    return await this.#use(folder, ref, `${attempt} of job ${ref.jobId}`, task);
  }

  async #read<T>(ref: LogStreamRef, task: (stream: TableStream) => Promise<T>): Promise<T | null> {
    const folder = streamFolder(ref);
    return folder ? await this.#use(folder, ref, `read log of job ${ref.jobId}`, task) : null;
  }

  async #use<T>(
    folder: string,
    ref: LogStreamRef,
    attempt: string,
    task: (stream: TableStream) => Promise<T>,
  ): Promise<T> {
    try {
      return await this.#streams.use(folder, () => this.#open(folder, ref), task);
    } catch (error) {
      throw asLogStoreError(error, attempt);
    }
  }

  #open(folder: string, ref: LogStreamRef): Promise<TableStream> {
    const { tables, quotaPerHour, now, signals, onQuota } = this.#options;
    return TableStream.open({
      ref: { project: ref.project, run: ref.run, jobId: ref.jobId },
      tables,
      quota: quotaPerHour,
      now,
      appended: (piece, length) => this.#followers.tell(folder, { type: 'piece', piece, length }),
      stored: () => signals.announce(folder),
      exceeded: (breach) => onQuota(ref, breach),
    });
  }
}
