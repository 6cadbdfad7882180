import type { Sink } from './sink.ts';
import { styledText } from './styled-text.ts';
import { textWidth } from './text-width.ts';

/** Position of the terminal's cursor after our own writes. */
export interface Cursor {
  /** Whether the last line has no line break yet. */
  inLine: boolean;
}

/** A block of lines at the end of the terminal that is redrawn in place. */
export class Redrawn {
  readonly #sink: Sink;
  readonly #cursor: Cursor;
  #lines = 0;

  constructor(sink: Sink, cursor: Cursor) {
    this.#sink = sink;
    this.#cursor = cursor;
  }

  /** Replaces the block by `text`. An unfinished line above it is kept. */
  draw(text: string): void {
    this.erase();
    if (this.#cursor.inLine) this.#sink.write('\n');
    const lines = this.#fitting(text.replace(/\n$/, '').split('\n'));
    this.#sink.write(styledText(`${lines.join('\n')}\n`));
    this.#cursor.inLine = false;
    this.#lines = lines.reduce((sum, line) => sum + this.#height(line), 0);
  }

  erase(): void {
    if (this.#lines > 0) this.#sink.write(`\u001b[${this.#lines}A\r\u001b[J`);
    this.#lines = 0;
  }

  /** Keeps the block on the screen; the next `draw` writes below it. */
  keep(): void {
    this.#lines = 0;
  }

  showCursor(shown: boolean): void {
    this.#sink.write(shown ? '\u001b[?25h' : '\u001b[?25l');
  }

  /** Lines that have scrolled off the top of the screen cannot be erased. */
  #fitting(lines: readonly string[]): readonly string[] {
    // A terminal of unknown size reports 0.
    const room = (this.#sink.rows || Number.POSITIVE_INFINITY) - 1;
    let height = 0;
    const first = lines.findIndex((line) => {
      height += this.#height(line);
      return height > room;
    });
    if (first < 0) return lines;
    const shown = lines.slice(0, Math.max(0, first - 1));
    return [...shown, `... (${lines.length - shown.length} more lines)`];
  }

  #height(line: string): number {
    const width = this.#sink.columns || 80;
    return Math.max(1, Math.ceil(textWidth(line) / width));
  }
}
