import { encodeLogFrame, INITIAL_CREDIT, MAX_LOG_FRAME } from '@dstack/contract/agent';
import type { JobLog } from '../jobs/job-log.ts';

/** Complete lines wait at most this long, so that a burst makes few frames. */
const LINE_MS = 8;
/** An unfinished line waits this long. */
const TAIL_MS = 90;
const NEWLINE = 10;

/** The result of a pusher's turn. */
export type Turn =
  /** A binary frame to send; there may be more. */
  | { readonly frame: Uint8Array }
  /** The spool has lost bytes: the log continues at this offset. */
  | { readonly gap: number }
  | null;

/**
 * Decides which part of one job's output is sent to the server, and when. It requests turns by
 * `wake`. The owner of the connection calls `next` while its buffer has space, so that no job
 * starves another and no log delays a state.
 */
export class LogPusher {
  readonly #id: string;
  readonly #log: JobLog;
  readonly #wake: () => void;
  readonly #unfollow: () => void;
  #offset: number;
  #credit = INITIAL_CREDIT;
  #timer: NodeJS.Timeout | null = null;
  #lastSent = 0;
  /** The end of the unfinished line that waits, and since when (milliseconds). */
  #tail: { readonly end: number; readonly since: number } | null = null;
  #closed = false;

  constructor(id: string, log: JobLog, offset: number, wake: () => void) {
    this.#id = id;
    this.#log = log;
    this.#offset = offset;
    this.#wake = wake;
    this.#unfollow = log.follow(() => this.#schedule(LINE_MS));
  }

  addCredit(bytes: number): void {
    this.#credit += bytes;
    this.#wakeNow();
  }

  /** Sends again from `offset` on. The credit of the bytes in between is given back. */
  rewind(offset: number): void {
    if (offset < this.#offset) this.#credit += this.#offset - offset;
    this.#offset = offset;
    this.#tail = null;
    this.#wakeNow();
  }

  /** The next frame to send; null if there is none now. */
  async next(): Promise<Turn> {
    if (this.#closed || this.#credit <= 0) return null;
    const from = this.#offset;
    const chunk = await this.#log.read(from, Math.min(MAX_LOG_FRAME, this.#credit));
    // After a rewind the chunk would look like a gap. The rewind has requested another turn.
    if (!chunk || this.#closed || this.#offset !== from) return null;
    if (chunk.offset > from) {
      this.#offset = chunk.offset;
      return { gap: chunk.offset };
    }
    const bytes = this.#sendable(chunk.bytes);
    if (bytes.length === 0) return null;
    this.#offset += bytes.length;
    this.#credit -= bytes.length;
    this.#lastSent = Date.now();
    return {
      frame: encodeLogFrame({ id: this.#id, offset: chunk.offset, time: chunk.time, bytes }),
    };
  }

  close(): void {
    this.#closed = true;
    this.#unfollow();
    if (this.#timer) clearTimeout(this.#timer);
  }

  /**
   * All bytes if more follow or they end in a newline; else, for a while, those up to the last
   * newline.
   */
  #sendable(bytes: Uint8Array): Uint8Array {
    const end = this.#offset + bytes.length;
    if (this.#log.finished || end < this.#log.end || bytes.at(-1) === NEWLINE) {
      this.#tail = null;
      return bytes;
    }
    const complete = bytes.lastIndexOf(NEWLINE) + 1;
    const now = Date.now();
    const waited = this.#tail && complete === 0 ? now - this.#tail.since : 0;
    if (waited >= TAIL_MS) {
      this.#tail = null;
      return bytes;
    }
    this.#tail = { end, since: now - waited };
    this.#schedule(TAIL_MS - waited);
    return bytes.subarray(0, complete);
  }

  #schedule(wait: number): void {
    if (this.#timer) {
      if (wait > LINE_MS) return;
      clearTimeout(this.#timer);
    }
    // The first line after a pause is sent at once. Lines that follow closely are sent together.
    const quiet = Date.now() - this.#lastSent;
    const delay = wait <= LINE_MS ? Math.max(0, wait - quiet) : wait;
    this.#timer = setTimeout(() => this.#wakeNow(), delay);
  }

  #wakeNow(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    if (!this.#closed) this.#wake();
  }
}
