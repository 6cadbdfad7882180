import type { LogTime } from '@dstack/client';
import type { TimedBytes } from '../../data/logs/log-stream.ts';
import { type LogLine, LogLineReader } from './line-reader.ts';

/** Older lines are forgotten beyond this many; the server still has them. */
export const MAX_LINES = 200_000;
/** The same for their characters: a line may be as long as a quarter of a megabyte. */
const MAX_TEXT = 64 * 1024 * 1024;
/** Lines are forgotten in steps of this part, as each moves all others. */
const STEP = 0.1;

export interface LogSnapshot {
  readonly lines: readonly LogLine[];
  /** Where the first line begins, in bytes; 0: the beginning of the output. */
  readonly start: number;
  /** The length of the output that was received. */
  readonly end: number;
  /** More lines are not kept: older ones are forgotten, and cannot be put in front. */
  readonly isFull: boolean;
  /** The last line has no end yet. */
  readonly isOpen: boolean;
}

export interface LogBufferOptions {
  readonly maxLines?: number;
  readonly maxText?: number;
  /** Runs once per frame, however many pieces arrive. */
  readonly schedule?: (notify: () => void) => void;
}

const EMPTY: LogSnapshot = { lines: [], start: 0, end: 0, isFull: false, isOpen: false };

/** The lines of one job's output that are in memory, outside of React. */
export class LogBuffer {
  readonly #listeners = new Set<() => void>();
  readonly #maxLines: number;
  readonly #maxText: number;
  readonly #schedule: (notify: () => void) => void;
  #reader: LogLineReader | null = null;
  #lines: LogLine[] = [];
  /** Characters of all lines. */
  #text = 0;
  #end = 0;
  #snapshot: LogSnapshot = EMPTY;
  #scheduled = false;
  #firstId = 0;

  constructor(options: LogBufferOptions = {}) {
    this.#maxLines = options.maxLines ?? MAX_LINES;
    this.#maxText = options.maxText ?? MAX_TEXT;
    this.#schedule = options.schedule ?? ((notify) => requestAnimationFrame(notify));
  }

  get snapshot(): LogSnapshot {
    return this.#snapshot;
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** `end`: the offset just after the bytes. Bytes that are known already are dropped. */
  append(bytes: Uint8Array, end: number, times: readonly LogTime[] = []): void {
    const start = end - bytes.length;
    if (this.#reader === null) {
      this.#reader = new LogLineReader(start);
      this.#end = start;
    }
    if (start > this.#end) this.#lines.push(this.#reader.skipTo(start));
    const known = Math.max(0, this.#end - start);
    if (known >= bytes.length) return;
    for (const line of this.#reader.read(bytes.subarray(known), times)) {
      this.#lines.push(line);
      this.#text += line.text.length;
    }
    this.#end = end;
    const limit = 1 + STEP;
    if (this.#lines.length > this.#maxLines * limit || this.#text > this.#maxText * limit) {
      this.#forgetOldest();
    }
    this.#notifySoon();
  }

  #forgetOldest(): void {
    const kept = this.#lines.length;
    let forgotten = 0;
    while (
      kept - forgotten > this.#maxLines ||
      (this.#text > this.#maxText && kept - forgotten > 1)
    ) {
      this.#text -= this.#lines[forgotten]?.text.length ?? 0;
      forgotten += 1;
    }
    this.#lines.splice(0, forgotten);
  }

  /** Puts older output in front; `bytes` must end where the first line begins, and begin with a line. */
  prepend({ bytes, times }: TimedBytes): void {
    const before = this.start;
    const reader = new LogLineReader(before - bytes.length);
    const lines = reader.read(bytes, times);
    const firstId = (this.#lines[0]?.id ?? this.#firstId) - lines.length;
    const numbered = lines.map((line, index) => ({ ...line, id: firstId + index }));
    this.#firstId = firstId;
    this.#lines = [...numbered, ...this.#lines];
    for (const { text } of numbered) this.#text += text.length;
    this.#notifySoon();
  }

  /** Where the first line begins. */
  get start(): number {
    return this.#lines[0]?.offset ?? this.#reader?.offset ?? 0;
  }

  get end(): number {
    return this.#end;
  }

  #notifySoon(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#schedule(() => {
      this.#scheduled = false;
      const open = this.#reader?.openLine() ?? null;
      const lines = open === null ? this.#lines.slice() : [...this.#lines, open];
      const isFull = this.#lines.length >= this.#maxLines || this.#text >= this.#maxText;
      const isOpen = open !== null;
      this.#snapshot = { lines, start: this.start, end: this.#end, isFull, isOpen };
      for (const listener of this.#listeners) listener();
    });
  }
}
