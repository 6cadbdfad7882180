import { once } from 'node:events';
import type { Writable } from 'node:stream';
import type { LogNews, LogPiece, LogStore, LogStreamRef } from './log-store.ts';

/** Raw bytes of one message, and the interval of the comments that keep a connection open. */
const PIECE_BYTES = 48 * 1024;
const KEEP_ALIVE_MS = 15_000;

/** Live pieces a reader who is busy may leave waiting before it reads from the store instead. */
const MAX_WAITING = 16;

export interface StreamLogOptions {
  readonly keepAliveMs?: number;
  /**
   * Whether the job is over for the server. Some jobs end without a word from their agent (never
   * started, host lost): their output is never said to be complete, yet nothing will follow.
   */
  readonly over?: () => Promise<boolean>;
  /** Calls `notify` when `over` may have changed; answers how to stop that. */
  readonly watchOver?: (notify: () => void) => () => void;
}

/**
 * Sends a job's raw output from `offset` on as server-sent events, first what is stored, then live
 * until the output is complete; ends `sink` then. Messages:
 *
 *     id: <offset behind this piece>      event: gap              event: end
 *     data: <raw bytes in base64>         id: <offset>            id: <length>
 *                                         data: <lost bytes>      data: <length>
 *
 * A client goes on after a lost connection with the last `id` as `offset`. A slow reader holds up
 * only itself: at most one message waits in memory. Resolves when the stream is over or `signal`
 * fires; throws `LogStoreError`, and what the sink throws.
 */
export async function streamLog(
  store: LogStore,
  ref: LogStreamRef,
  offset: number,
  sink: Writable,
  signal: AbortSignal,
  options: StreamLogOptions = {},
): Promise<void> {
  const gone = new AbortController();
  const stop = AbortSignal.any([signal, gone.signal]);
  const leave = () => gone.abort();
  sink.once('close', leave);
  sink.on('error', leave);
  const inbox = new Inbox();
  const unfollow = store.follow(ref, (news) => inbox.put(news));
  const wake = () => inbox.wake();
  const unwatch = options.watchOver?.(() => inbox.remind());
  stop.addEventListener('abort', wake);
  const alive = setInterval(() => {
    // Word from another server may have been lost: now and then the reader looks for itself.
    inbox.remind();
    // A sink that is full has enough to send.
    if (!sink.writableNeedDrain) sink.write(': keep-alive\n\n');
  }, options.keepAliveMs ?? KEEP_ALIVE_MS);
  try {
    await pump(store, ref, offset, sink, stop, inbox, options.over ?? (async () => false));
  } finally {
    clearInterval(alive);
    unfollow();
    unwatch?.();
    stop.removeEventListener('abort', wake);
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
  over: () => Promise<boolean>,
): Promise<void> {
  let at = offset;
  const send = async (piece: LogPiece) => {
    if (piece.offset > at) {
      const lost = piece.offset - at;
      await write(sink, `event: gap\nid: ${piece.offset}\ndata: ${lost}\n\n`, stop);
    }
    at = piece.offset + piece.bytes.length;
    await write(sink, messageOf(piece), stop);
  };
  // Looked at before reading: what is stored when a stream has ended is all there will be.
  const isOver = async () => (await store.status(ref)).ended || (await over());
  let ended = await isOver();
  while (!stop.aborted) {
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
      await write(sink, `event: end\nid: ${at}\ndata: ${at}\n\n`, stop);
      return;
    }
    const news = await inbox.wait();
    ended = news === 'ended' || (news === 'reminder' && (await isOver()));
  }
}

async function write(sink: Writable, text: string, stop: AbortSignal): Promise<void> {
  if (stop.aborted || sink.write(text)) return;
  // An abort ends the waiting, the caller looks at the signal.
  await once(sink, 'drain', { signal: stop }).catch((error: Error) => {
    if (!stop.aborted) throw error;
  });
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

/** What the store has told and the pump has not taken up yet. */
class Inbox {
  #pieces: LogPiece[] = [];
  #ended = false;
  #news = false;
  #reminder = false;
  #waiter: (() => void) | null = null;

  put(news: LogNews): void {
    if (news.type === 'ended') this.#ended = true;
    // A reader that far behind finds everything in the store.
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

  /** A live piece that follows exactly at `offset`; those before it are dropped. */
  next(offset: number): LogPiece | null {
    let piece = this.#pieces.shift();
    while (piece && piece.offset + piece.bytes.length <= offset) piece = this.#pieces.shift();
    if (!piece) return null;
    if (piece.offset === offset) return piece;
    if (piece.offset > offset) {
      // Bytes are missing in between: the store has them.
      this.#pieces = [];
      return null;
    }
    return { offset, bytes: piece.bytes.subarray(offset - piece.offset) };
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
