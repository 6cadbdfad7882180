import { type LogLine, LogLineReader } from './line-reader.ts';

/** Older lines are forgotten beyond this many; the server still has them. */
export const MAX_LINES = 200_000;
/** Lines are forgotten in such steps, as each moves all others. */
const STEP = 20_000;

export interface LogSnapshot {
  readonly lines: readonly LogLine[];
  /** Where the first line begins, in bytes; 0: the beginning of the output. */
  readonly start: number;
  /** The length of the output that was received. */
  readonly end: number;
}

export interface LogBufferOptions {
  readonly maxLines?: number;
  /** Runs once per frame, however many pieces arrive. */
  readonly schedule?: (notify: () => void) => void;
}

const EMPTY: LogSnapshot = { lines: [], start: 0, end: 0 };

/** The lines of one job's output that are in memory, outside of React. */
export class LogBuffer {
  readonly #listeners = new Set<() => void>();
  readonly #maxLines: number;
  readonly #schedule: (notify: () => void) => void;
  #reader: LogLineReader | null = null;
  #lines: LogLine[] = [];
  #end = 0;
  #snapshot: LogSnapshot = EMPTY;
  #scheduled = false;
  #firstId = 0;

  constructor(options: LogBufferOptions = {}) {
    this.#maxLines = options.maxLines ?? MAX_LINES;
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
  append(bytes: Uint8Array, end: number): void {
    const start = end - bytes.length;
    if (this.#reader === null) {
      this.#reader = new LogLineReader(start);
      this.#end = start;
    }
    if (start > this.#end) this.#lines.push(this.#reader.skipTo(start));
    const known = Math.max(0, this.#end - start);
    if (known >= bytes.length) return;
    for (const line of this.#reader.read(bytes.subarray(known))) this.#lines.push(line);
    this.#end = end;
    if (this.#lines.length > this.#maxLines + STEP) {
      this.#lines.splice(0, this.#lines.length - this.#maxLines);
    }
    this.#notifySoon();
  }

  /** Puts older output in front; `bytes` must end where the first line begins, and begin with a line. */
  prepend(bytes: Uint8Array): void {
    const before = this.start;
    const reader = new LogLineReader(before - bytes.length);
    const lines = reader.read(bytes);
    const firstId = (this.#lines[0]?.id ?? this.#firstId) - lines.length;
    const numbered = lines.map((line, index) => ({ ...line, id: firstId + index }));
    this.#firstId = firstId;
    this.#lines = [...numbered, ...this.#lines];
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
      this.#snapshot = { lines, start: this.start, end: this.#end };
      for (const listener of this.#listeners) listener();
    });
  }
}
