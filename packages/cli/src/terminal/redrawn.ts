import type { Sink } from './io.ts';
import { styledText } from './styled-text.ts';
import { textWidth } from './text-width.ts';

/** Where the cursor of the terminal stands, as far as our own writing goes. */
export interface Cursor {
  /** Behind a line that has not ended; what a program prints last may have no line break. */
  inLine: boolean;
}

/** A block of lines at the end of a terminal that is drawn again and again in the same place. */
export class Redrawn {
  readonly #sink: Sink;
  readonly #cursor: Cursor;
  #lines = 0;

  constructor(sink: Sink, cursor: Cursor) {
    this.#sink = sink;
    this.#cursor = cursor;
  }

  /** Puts `text` in place of what it showed before. A line that has not ended above it stays. */
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

  /** What was drawn stays, and the next text comes below it. */
  keep(): void {
    this.#lines = 0;
  }

  showCursor(shown: boolean): void {
    this.#sink.write(shown ? '\u001b[?25h' : '\u001b[?25l');
  }

  /** Lines that have left the screen at its top cannot be erased any more. */
  #fitting(lines: readonly string[]): readonly string[] {
    // A terminal that does not know its size says 0.
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
