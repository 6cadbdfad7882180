import type { LogLine } from './line-reader.ts';

/** A line of one of several logs. */
export interface SourceLine extends LogLine {
  /** The number of the log. */
  readonly source: number;
}

/** The part of one log that is loaded. */
export interface SourceLog {
  readonly lines: readonly LogLine[];
  /** The last line may still grow. */
  readonly isOpen: boolean;
}

/** More lines are not kept, of all logs together. */
export const MAX_MERGED_LINES = 50_000;

/**
 * The lines of several logs in the order of their times. Logs are read one after another: lines that are
 * not older than `settledAt` may still get others in front of them, and are placed anew with each update.
 */
export class MergedLines {
  readonly #most: number;
  #settled: SourceLine[] = [];
  /** The id after the last settled line of each log. */
  readonly #next: number[] = [];
  #nextId = 0;

  constructor(most = MAX_MERGED_LINES) {
    this.#most = most;
  }

  /** Ids of settled lines stay. */
  update(logs: readonly SourceLog[], settledAt: number): readonly SourceLine[] {
    const fresh = logs.flatMap((log, source) => this.#freshLines(log, source));
    fresh.sort((a, b) => a.time - b.time || a.line.source - b.line.source);
    const waiting: SourceLine[] = [];
    for (const { line, time, isOpen } of fresh) {
      if (time >= settledAt || isOpen) {
        waiting.push(line);
        continue;
      }
      this.#next[line.source] = line.id + 1;
      this.#settled.push({ ...line, id: this.#nextId });
      this.#nextId += 1;
    }
    if (this.#settled.length > this.#most * 1.1) {
      this.#settled = this.#settled.slice(-this.#most);
    }
    const rest = waiting.map((line, index) => ({ ...line, id: this.#nextId + index }));
    return [...this.#settled, ...rest];
  }

  #freshLines({ lines, isOpen }: SourceLog, source: number): FreshLine[] {
    const next = this.#next[source] ?? Number.NEGATIVE_INFINITY;
    const fresh: FreshLine[] = [];
    let time = Number.NEGATIVE_INFINITY;
    const last = lines.length - 1;
    for (const [at, line] of lines.entries()) {
      // A line without a time belongs to the one before it.
      time = Math.max(time, line.time ?? time);
      if (line.id >= next) {
        fresh.push({ line: { ...line, source }, time, isOpen: isOpen && at === last });
      }
    }
    return fresh;
  }
}

interface FreshLine {
  readonly line: SourceLine;
  readonly time: number;
  /** The last line of its log may still grow. */
  readonly isOpen: boolean;
}
