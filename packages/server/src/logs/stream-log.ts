import { once } from 'node:events';
import type { Writable } from 'node:stream';
import type { LogNews, LogPiece, LogStore, LogStreamRef, OutputTime } from './log-store.ts';

/** Raw bytes of one message, and the interval of the comments that keep a connection open. */
const PIECE_BYTES = 48 * 1024;
const KEEP_ALIVE_MS = 15_000;

/**
 * Number of live pieces that may queue for a busy reader before it reads from the store instead.
 */
const MAX_WAITING = 16;

export interface StreamLogOptions {
  readonly keepAliveMs?: number;
  /** Sends `times` before the bytes that they belong to. */
  readonly timestamps?: boolean;
  /**
   * Whether the server considers the job finished. Some jobs end without a report from their agent
   * (never started, host lost): their output is never marked as complete, yet there will be no
   * more.
   */
  readonly over?: () => Promise<boolean>;
  /** Calls `notify` when `over` may have changed; returns a function that stops this. */
  readonly watchOver?: (notify: () => void) => () => void;
  /** Aborted when the server shuts down: what is stored by then is still sent, but not waited for. */
  readonly shutdown?: AbortSignal;
}

/**
 * Sends a job's raw output from `offset` on as server-sent events, first the stored part, then live
 * until the output is complete; then ends `sink`. Messages:
 *
 *     id: <offset after this piece>       event: gap              event: end
 *     data: <raw bytes in base64>         id: <offset>            id: <length>
 *                                         data: <lost bytes>      data: <length>
 *
 * With `timestamps`, bytes are preceded by the times when they were read from the job:
 *
 *     event: times
 *     data: [[<offset after bytes of one time>, <milliseconds since the epoch>], …]
 *
 * A client continues after a lost connection with the last `id` as `offset`. A slow reader delays
 * only itself: at most one message waits in memory. Resolves when the stream is over or `signal`
 * fires; throws `LogStoreError`, and errors of the sink.
 */
export async function streamLog(
  store: LogStore,
  ref: LogStreamRef,
  offset: number,
  sink: Writable,
  signal: AbortSignal,
  options: StreamLogOptions = {},
): Promise<void> {
  const disconnected = new AbortController();
  const stop = AbortSignal.any([signal, disconnected.signal]);
  const leave = () => disconnected.abort();
  sink.once('close', leave);
  sink.on('error', leave);
  const inbox = new Inbox();
  const unfollow = store.follow(ref, (news) => inbox.put(news));
  const wake = () => inbox.wake();
  const unwatch = options.watchOver?.(() => inbox.remind());
  stop.addEventListener('abort', wake);
  options.shutdown?.addEventListener('abort', wake);
  const alive = setInterval(() => {
    // A notification of another server may have been lost, so the reader polls at intervals.
    inbox.remind();
    // A full sink has enough to send.
    if (!sink.writableNeedDrain) sink.write(': keep-alive\n\n');
  }, options.keepAliveMs ?? KEEP_ALIVE_MS);
  try {
    await pump(store, ref, offset, sink, stop, inbox, options);
  } finally {
    clearInterval(alive);
    unfollow();
    unwatch?.();
    stop.removeEventListener('abort', wake);
    options.shutdown?.removeEventListener('abort', wake);
    sink.off('close', leave);
    if (!sink.destroyed) sink.end();
  }
}

async function pump(
  store: LogStore,
  ref: LogStreamRef,
  offset: number,
  sink: Writable,
  stop: AbortSignal,
  inbox: Inbox,
  { over = async () => false, timestamps = false, shutdown }: StreamLogOptions,
): Promise<void> {
  let at = offset;
  const patience = shutdown ? AbortSignal.any([stop, shutdown]) : stop;
  const send = async (piece: LogPiece) => {
    if (piece.offset > at) {
      const lost = piece.offset - at;
      await write(sink, `event: gap\nid: ${piece.offset}\ndata: ${lost}\n\n`, patience);
    }
    at = piece.offset + piece.bytes.length;
    const times = timestamps ? timesMessage(await timesOf(store, ref, piece)) : '';
    await write(sink, times + messageOf(piece), patience);
  };
  // Checked before reading: when a stream has ended, the stored part is complete.
  const isOver = async () => (await store.status(ref)).ended || (await over());
  let ended = await isOver();
  while (!patience.aborted) {
    const live = inbox.next(at);
    if (live) {
      await send(live);
      continue;
    }
    const stored = await store.readRaw(ref, at, PIECE_BYTES);
    if (stored && stored.bytes.length > 0) {
      await send(stored);
      continue;
    }
    if (ended) {
      await write(sink, `event: end\nid: ${at}\ndata: ${at}\n\n`, patience);
      return;
    }
    const news = await inbox.wait();
    ended = news === 'ended' || (news === 'reminder' && (await isOver()));
  }
  if (stop.aborted) return;
  // A reader that is behind continues from its last id at the next server.
  const length = await store.length(ref);
  while (at < length && !stop.aborted && !sink.writableNeedDrain) {
    const stored = await store.readRaw(ref, at, Math.min(length - at, PIECE_BYTES));
    if (!stored) return;
    await send(stored);
  }
}

/** Waits until the sink takes more, or `patience` ends; the caller checks it. */
async function write(sink: Writable, text: string, patience: AbortSignal): Promise<void> {
  if (sink.destroyed || sink.write(text) || patience.aborted) return;
  await once(sink, 'drain', { signal: patience }).catch((error: Error) => {
    if (!patience.aborted) throw error;
  });
}

async function timesOf(
  store: LogStore,
  ref: LogStreamRef,
  { offset, bytes, time }: LogPiece,
): Promise<readonly OutputTime[]> {
  const end = offset + bytes.length;
  if (time !== undefined) return [{ end, time: Math.floor(time / 1000) }];
  return await store.readTimes(ref, offset, end);
}

function timesMessage(times: readonly OutputTime[]): string {
  const pairs = times.map(({ end, time }) => [end, time]);
  return `event: times\ndata: ${JSON.stringify(pairs)}\n\n`;
}

/** All readers of a stream get the same piece object, so its text is made once. */
const messages = new WeakMap<LogPiece, string>();

function messageOf(piece: LogPiece): string {
  const known = messages.get(piece);
  if (known) return known;
  const { buffer, byteOffset, length } = piece.bytes;
  const data = Buffer.from(buffer, byteOffset, length).toString('base64');
  const message = `id: ${piece.offset + length}\ndata: ${data}\n\n`;
  messages.set(piece, message);
  return message;
}

/** Notifications of the store that the pump has not processed yet. */
class Inbox {
  #pieces: LogPiece[] = [];
  #ended = false;
  #news = false;
  #reminder = false;
  #waiter: (() => void) | null = null;

  put(news: LogNews): void {
    if (news.type === 'ended') this.#ended = true;
    // A reader this far behind finds everything in the store.
    if (news.type === 'piece' && this.#pieces.length < MAX_WAITING) this.#pieces.push(news.piece);
    else this.#pieces = [];
    this.wake();
  }

  wake(): void {
    this.#news = true;
    this.#waiter?.();
    this.#waiter = null;
  }

  remind(): void {
    this.#reminder = true;
    this.#waiter?.();
    this.#waiter = null;
  }

  /** A live piece that continues exactly at `offset`; earlier ones are dropped. */
  next(offset: number): LogPiece | null {
    let piece = this.#pieces.shift();
    while (piece && piece.offset + piece.bytes.length <= offset) piece = this.#pieces.shift();
    if (!piece) return null;
    if (piece.offset === offset) return piece;
    if (piece.offset > offset) {
      // Bytes are missing in between: they are in the store.
      this.#pieces = [];
      return null;
    }
    return { ...piece, offset, bytes: piece.bytes.subarray(offset - piece.offset) };
  }

  async wait(): Promise<'grew' | 'ended' | 'reminder'> {
    if (!this.#news && !this.#ended && !this.#reminder) {
      await new Promise<void>((resolve) => {
        this.#waiter = resolve;
      });
    }
    const reminded = this.#reminder && !this.#news;
    this.#news = false;
    this.#reminder = false;
    if (this.#ended) return 'ended';
    return reminded ? 'reminder' : 'grew';
  }
}
