const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const COLON = 0x3a;
const COMMA = 0x2c;

/** Bytes of a key or value that is kept; longer ones are ignored. */
const MAX_KEPT = 4096;

/**
 * Finds the values of some keys of a JSON object while its bytes arrive, without parsing the rest. It
 * does not validate: the model does. Of repeated keys the last one counts, as for
 * most parsers.
 */
export class TopLevelScan {
  readonly #wanted: ReadonlySet<string>;
  readonly #found = new Map<string, string>();
  #offset = 0;
  #depth = 0;
  #inString = false;
  /** The last byte was an odd number of backslashes in a row. */
  #isEscaping = false;
  #expects: 'key' | 'colon' | 'value' = 'key';
  #key: string | null = null;
  /** The bytes of the present key or wanted value; null = not kept. */
  #kept: Buffer[] | null = null;
  #keptLength = 0;
  #end: number | null = null;

  constructor(wanted: readonly string[]) {
    this.#wanted = new Set(wanted);
  }

  /** Offset of the bracket that closes the object; null = there is none. */
  get end(): number | null {
    return this.#end;
  }

  /** The value as JSON text; null if it is missing or too long. */
  text(key: string): string | null {
    return this.#found.get(key) ?? null;
  }

  /** The parsed value; undefined if it is missing, too long, or no JSON. */
  value(key: string): unknown {
    const text = this.text(key);
    return text === null ? undefined : parsed(text);
  }

  push(piece: Buffer): void {
    /** Where the kept bytes of this piece begin. */
    let from = 0;
    for (let i = 0; i < piece.length; ) {
      if (this.#inString) {
        const next = this.#endOfString(piece, i);
        if (next === null) break;
        i = next;
        if (this.#depth === 1 && this.#expects === 'key') {
          this.#keep(piece, from, i);
          this.#key = this.#taken();
          this.#expects = 'colon';
        }
        continue;
      }
      const byte = piece[i] as number;
      const isTop = this.#depth === 1;
      if (byte === QUOTE) {
        this.#inString = true;
        if (isTop && this.#expects === 'key') {
          this.#begin();
          from = i;
        }
      } else if (byte === OPEN_OBJECT || byte === OPEN_LIST) {
        // Only an object has keys; a list at the top is never left.
        this.#depth += this.#depth === 0 && byte === OPEN_LIST ? 2 : 1;
      } else if (byte === CLOSE_OBJECT || byte === CLOSE_LIST) {
        if (isTop) {
          this.#endValue(piece, from, i);
          this.#end = this.#offset + i;
        }
        this.#depth -= 1;
      } else if (isTop && byte === COLON && this.#expects === 'colon') {
        this.#expects = 'value';
        if (this.#isWanted()) {
          this.#begin();
          from = i + 1;
        }
      } else if (isTop && byte === COMMA) {
        this.#endValue(piece, from, i);
        this.#expects = 'key';
      }
      i += 1;
    }
    this.#keep(piece, from, piece.length);
    this.#offset += piece.length;
  }

  /** The offset after the closing quote; null if the string continues. */
  #endOfString(piece: Buffer, from: number): number | null {
    let start = from;
    if (this.#isEscaping) {
      this.#isEscaping = false;
      start += 1;
    }
    for (let i = start; ; ) {
      const quote = piece.indexOf(QUOTE, i);
      const end = quote < 0 ? piece.length : quote;
      let slashes = 0;
      while (end - slashes > i && piece[end - slashes - 1] === BACKSLASH) slashes += 1;
      const isEscaped = slashes % 2 === 1;
      if (quote < 0) {
        this.#isEscaping = isEscaped;
        return null;
      }
      i = quote + 1;
      if (isEscaped) continue;
      this.#inString = false;
      return i;
    }
  }

  #isWanted(): boolean {
    const key = this.#key === null ? undefined : parsed(this.#key);
    return typeof key === 'string' && this.#wanted.has(key);
  }

  #endValue(piece: Buffer, from: number, to: number): void {
    if (this.#expects !== 'value' || !this.#isWanted()) return;
    this.#keep(piece, from, to);
    const text = this.#taken();
    const key = parsed(this.#key ?? '') as string;
    if (text === null) this.#found.delete(key);
    else this.#found.set(key, text.trim());
    this.#expects = 'key';
  }

  #begin(): void {
    this.#kept = [];
    this.#keptLength = 0;
  }

  #keep(piece: Buffer, from: number, to: number): void {
    if (this.#kept === null || to <= from) return;
    this.#keptLength += to - from;
    // A copy: the piece may be part of a large buffer.
    if (this.#keptLength <= MAX_KEPT) this.#kept.push(Buffer.from(piece.subarray(from, to)));
    else this.#kept = null;
  }

  #taken(): string | null {
    const text = this.#kept === null ? null : Buffer.concat(this.#kept).toString('utf8');
    this.#kept = null;
    return text;
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The model reports it.
    return undefined;
  }
}
