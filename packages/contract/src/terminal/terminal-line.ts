/** The longest text of a line before it is cut, in bytes of UTF-8; leaves room for two newlines. */
export const MAX_LINE_BYTES = 32 * 1024 - 2;

/**
 * How far a cursor movement may go beyond the text; bounds how much text a few bytes can create.
 */
const MAX_PADDING = 512;

/**
 * One line of a terminal, with a cursor: text is appended or, after the cursor was moved back,
 * overwritten. Kept as one string until the cursor leaves its end, as an array of characters after.
 */
export class TerminalLine {
  #text = '';
  #cells: string[] | null = null;
  /** Column of the cursor; null = after the last character. */
  #column: number | null = null;
  #bytes = 0;

  get empty(): boolean {
    return this.#bytes === 0;
  }

  /** Whether the next output starts at the beginning of the line. */
  get atStart(): boolean {
    return this.#column === 0;
  }

  get atEnd(): boolean {
    return this.#column === null;
  }

  /** Bytes that still fit at the end of the line. */
  get room(): number {
    return MAX_LINE_BYTES - this.#bytes;
  }

  get text(): string {
    return this.#cells ? this.#cells.join('') : this.#text;
  }

  clear(): void {
    this.#text = '';
    this.#cells = null;
    this.#column = null;
    this.#bytes = 0;
  }

  /** Appends ASCII text that fits. Only with the cursor at the end. */
  appendAscii(text: string): void {
    this.#bytes += text.length;
    if (!this.#cells) {
      this.#text += text;
      return;
    }
    for (const char of text) this.#cells.push(char);
  }

  /** Prints one character at the cursor; if it does not fit, returns false and changes nothing. */
  print(char: string): boolean {
    const size = byteLength(char);
    if (this.#column === null) {
      if (this.#bytes + size > MAX_LINE_BYTES) return false;
      this.#bytes += size;
      if (this.#cells) this.#cells.push(char);
      else this.#text += char;
      return true;
    }
    return this.#overwrite(this.#column, char, size);
  }

  #overwrite(column: number, char: string, size: number): boolean {
    const cells = this.#materialise();
    const padding = Math.max(0, column - cells.length);
    const old = cells[column];
    const growth = size + padding - (old === undefined ? 0 : byteLength(old));
    if (this.#bytes + growth > MAX_LINE_BYTES) return false;
    for (let i = 0; i < padding; i++) cells.push(' ');
    cells[column] = char;
    this.#bytes += growth;
    this.#column = column + 1 === cells.length ? null : column + 1;
    return true;
  }

  home(): void {
    this.#column = this.empty ? null : 0;
  }

  /** Moves the cursor by `count` columns (negative: to the left). */
  move(count: number): void {
    const cells = this.#materialise();
    this.#moveTo((this.#column ?? cells.length) + count, cells);
  }

  moveTo(column: number): void {
    this.#moveTo(column, this.#materialise());
  }

  #moveTo(column: number, cells: readonly string[]): void {
    const target = Math.max(0, Math.min(column, cells.length + MAX_PADDING));
    this.#column = target === cells.length ? null : target;
  }

  /** Removes everything from the cursor on. */
  eraseToEnd(): void {
    if (this.#column === null) return;
    const cells = this.#materialise();
    for (let i = this.#column; i < cells.length; i++) this.#bytes -= byteLength(cells[i] ?? '');
    cells.length = Math.min(cells.length, this.#column);
    if (cells.length === this.#column) this.#column = null;
  }

  #materialise(): string[] {
    this.#cells ??= Array.from(this.#text);
    return this.#cells;
  }
}

function byteLength(char: string): number {
  const point = char.codePointAt(0) ?? 0;
  if (point < 0x80) return 1;
  if (point < 0x800) return 2;
  return point < 0x10000 ? 3 : 4;
}
