import { jsonLine } from './json-line.ts';
import { lineIndex } from './line-list.ts';
import type { LogLine } from './line-reader.ts';
import { isContinuation, type LogLevel, levelOf, reachesLevel } from './log-level.ts';

export interface LineChoice {
  /** Only lines of this level and above; null: all. */
  readonly least: LogLevel | null;
  /** Lines of JSON with their message first. */
  readonly readsJson: boolean;
}

/** The lines as the reader wants to see them; those that are complete are derived once. */
export class DerivedLines {
  readonly #choice: LineChoice;
  #lines: LogLine[] = [];
  #first: number | null = null;
  #last = Number.NEGATIVE_INFINITY;
  /** The level of the last complete line, which lines that continue it share; null: it has none. */
  #level: LogLevel | null = null;
  #from: readonly LogLine[] | null = null;
  #result: readonly LogLine[] = [];

  constructor(choice: LineChoice) {
    this.#choice = choice;
  }

  /** The same list as before if nothing has changed. */
  update(lines: readonly LogLine[]): readonly LogLine[] {
    const { least, readsJson } = this.#choice;
    if (least === null && !readsJson) return lines;
    if (lines === this.#from) return this.#result;
    this.#from = lines;
    const first = lines[0]?.id ?? 0;
    if (this.#first !== null && first < this.#first) this.#restart();
    this.#first = first;
    if ((this.#lines[0]?.id ?? first) < first) {
      this.#lines = this.#lines.slice(lineIndex(this.#lines, first));
    }
    // The last line may still grow.
    const end = lines.length - 1;
    for (let at = lineIndex(lines, this.#last + 1); at < end; at += 1) {
      const line = lines[at];
      if (line === undefined) break;
      this.#level = this.#levelAfter(line);
      if (this.#isWanted(line, this.#level)) this.#lines.push(this.#derive(line));
      this.#last = line.id;
    }
    const open = lines[end];
    const isShown = open !== undefined && this.#isWanted(open, this.#levelAfter(open));
    this.#result = isShown ? [...this.#lines, this.#derive(open)] : this.#lines.slice();
    return this.#result;
  }

  /** Lines in front may give those after them another level. */
  #restart(): void {
    this.#lines = [];
    this.#last = Number.NEGATIVE_INFINITY;
    this.#level = null;
  }

  #levelAfter(line: LogLine): LogLevel | null {
    return levelOf(line) ?? (isContinuation(line) ? this.#level : null);
  }

  #isWanted(line: LogLine, level: LogLevel | null): boolean {
    const { least } = this.#choice;
    return least === null || line.isNote || reachesLevel(level, least);
  }

  #derive(line: LogLine): LogLine {
    return this.#choice.readsJson ? jsonLine(line) : line;
  }
}

/** Whether a log names levels at all; as soon as one was found, it does. */
export class LevelFinder {
  #searched = Number.NEGATIVE_INFINITY;
  #found = false;
  #foundJson = false;

  update(lines: readonly LogLine[]): { readonly hasLevels: boolean; readonly hasJson: boolean } {
    for (let at = lineIndex(lines, this.#searched + 1); at < lines.length - 1; at += 1) {
      const line = lines[at];
      if (line === undefined || (this.#found && this.#foundJson)) break;
      this.#found ||= levelOf(line) !== null;
      this.#foundJson ||= line.text.startsWith('{"');
      this.#searched = line.id;
    }
    return { hasLevels: this.#found, hasJson: this.#foundJson };
  }
}
