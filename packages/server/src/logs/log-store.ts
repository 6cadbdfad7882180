import type { LogPage, PollQuery } from './log-page.ts';

/**
 * Identifies one stream of output: that of one job submission. `project` and `run` are only its
 * place, and must be right: with another run's name the stream is not found.
 */
export interface LogStreamRef {
  readonly project: string;
  readonly run: string;
  /** Id of the job submission, a UUID. */
  readonly jobId: string;
}

/** Raw output starting at byte `offset` of the job's output. */
export interface LogPiece {
  /** Larger than the requested offset if the bytes in between are permanently lost. */
  readonly offset: number;
  readonly bytes: Uint8Array;
  /** When the bytes were read from the job, microseconds: of new output, whose bytes share one time. */
  readonly time?: number;
}

/** When output was read from the job: the bytes from the end of the time before it to `end`. */
export interface OutputTime {
  readonly end: number;
  /** Milliseconds since the epoch. */
  readonly time: number;
}

export interface AppendResult {
  /** Stored length after this append. */
  readonly length: number;
  /** Set if bytes before the piece are missing: nothing was stored, send again from here. */
  readonly gapFrom: number | null;
}

/**
 * A notification of a live reader. `piece` comes in order and without holes, but only for new
 * output.
 */
export type LogNews =
  | { readonly type: 'piece'; readonly piece: LogPiece; readonly length: number }
  /** Stored output has grown; read it with `readRaw`. */
  | { readonly type: 'grew'; readonly length: number }
  /** The output is complete, or the stream was deleted. */
  | { readonly type: 'ended'; readonly length: number };

export interface LogStatus {
  readonly length: number;
  readonly ended: boolean;
}

/**
 * Stores the raw output of jobs by byte offset and serves it in two forms: raw, live, and as events
 * (lines of plain text with a time). Appends are exact: an offset is stored once, even if it is
 * sent twice. All methods throw `LogStoreError`.
 */
export interface LogStore {
  /** Stored bytes, read from the log itself; 0 for a stream that does not exist. */
  length(ref: LogStreamRef): Promise<number>;
  status(ref: LogStreamRef): Promise<LogStatus>;
  /** `time`: when the output was read, microseconds. Bytes that are already stored are dropped. */
  append(ref: LogStreamRef, offset: number, time: number, bytes: Uint8Array): Promise<AppendResult>;
  /** Output before `offset` is lost: the stream continues from there, with a visible marker. */
  skip(ref: LogStreamRef, offset: number, time: number): Promise<void>;
  /**
   * Returns, by job id, how many bytes would now survive a power failure. Batch it: it waits for
   * the disk.
   */
  sync(refs: readonly LogStreamRef[]): Promise<Readonly<Record<string, number>>>;
  /** At most `max` bytes starting at `from`, null if nothing is stored there (yet). */
  readRaw(ref: LogStreamRef, from: number, max: number): Promise<LogPiece | null>;
  /** The times of the stored bytes from `from` to `to`, in their order; lost bytes have none. */
  readTimes(ref: LogStreamRef, from: number, to: number): Promise<readonly OutputTime[]>;
  /**
   * Calls `listener` for new output; returns a function that stops this. The listener must not
   * throw.
   */
  follow(ref: LogStreamRef, listener: (news: LogNews) => void): () => void;
  /** The output is complete: makes it durable, shows a last unfinished line, notifies readers. */
  end(ref: LogStreamRef): Promise<void>;
  /** A page of events for `logs/poll`. A stream that does not exist has none. */
  poll(ref: LogStreamRef, query: PollQuery): Promise<LogPage>;
  delete(ref: LogStreamRef): Promise<void>;
  /** Makes everything durable and closes all files. */
  close(): Promise<void>;
}

/** Reported once per stream when its events exceed the quota of an hour. */
export type QuotaListener = (ref: LogStreamRef, breach: QuotaBreach) => void;

export interface QuotaBreach {
  /** Bytes of events in the hour so far. */
  readonly bytes: number;
  readonly limit: number;
}

/**
 * - `disk_full`: nothing of the append was stored, earlier output is intact; try again later.
 * - `bad_token`: `next_token` of a poll is invalid (HTTP 400, text in `message`).
 * - `bad_stream`: an invalid name or id of a stream.
 * - `failed`: reading or writing failed for another reason.
 */
export type LogStoreErrorCode = 'disk_full' | 'bad_token' | 'bad_stream' | 'failed';

export class LogStoreError extends Error {
  readonly code: LogStoreErrorCode;

  constructor(code: LogStoreErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'LogStoreError';
    this.code = code;
  }
}

/** Errors of the file system, and PostgreSQL's. */
const FULL = new Set(['ENOSPC', 'EDQUOT', 'EFBIG', '53100']);

/** Converts an error of the file system or database into one of the catalogue above. */
export function asLogStoreError(error: unknown, attempt: string): LogStoreError {
  if (error instanceof LogStoreError) return error;
  const cause = error as NodeJS.ErrnoException;
  const full = FULL.has(cause.code ?? '');
  const text = full ? 'no space left for logs' : cause.message;
  return new LogStoreError(full ? 'disk_full' : 'failed', `${attempt}: ${text}`, { cause: error });
}
