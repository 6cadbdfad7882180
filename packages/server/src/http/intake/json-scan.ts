/**
 * Looks at the structure of JSON while it arrives, byte by byte and before anything is made of it:
 * a megabyte of brackets costs a parser a hundred times what a megabyte of text does. Whether it is
 * JSON at all is for the parser to find.
 */
export interface JsonLimits {
  /** Levels of lists and objects. */
  readonly depth: number;
  /** Lists, objects, members and elements together. */
  readonly parts: number;
  /** Keys that lead to a list nobody reads: its elements are left out and not counted. */
  readonly leaveOut: readonly string[] | null;
}

export type JsonExcess =
  | { readonly kind: 'too-deep'; readonly limit: number }
  | { readonly kind: 'too-many-parts'; readonly limit: number };

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const OPEN_MAP = 0x7b;
const CLOSE_MAP = 0x7d;

export class JsonScan {
  readonly #limits: JsonLimits;
  readonly #path: readonly string[];
  #depth = 0;
  #parts = 0;
  #keys = 0;
  #isInText = false;
  #isEscaped = false;
  /** Objects around here that the path leads through; the innermost is at depth `#followed`. */
  #followed = 0;
  /** In the innermost of them: the text that began last, and whether it is a key of the path. */
  #key: string | null = null;
  #isOnPath = false;
  /** Depth of the list that is being left out. */
  #leftOutAt: number | null = null;

  constructor(limits: JsonLimits) {
    this.#limits = limits;
    this.#path = limits.leaveOut ?? [];
  }

  /** Keys of objects so far, without what is left out. */
  get keys(): number {
    return this.#keys;
  }

  /** What is to be kept of the next piece, in its order. */
  push(piece: Buffer): readonly Buffer[] | JsonExcess {
    const kept: Buffer[] = [];
    let from = this.#leftOutAt === null ? 0 : -1;
    for (let i = 0; i < piece.length; i++) {
      const byte = piece[i] as number;
      if (this.#isInText) {
        this.#inText(byte);
        continue;
      }
      if (this.#leftOutAt !== null) {
        if (this.#leavesOut(byte)) continue;
        from = i;
      }
      const excess = this.#structure(byte);
      if (excess) return excess;
      if (this.#leftOutAt !== null) {
        kept.push(piece.subarray(from, i + 1));
        from = -1;
      }
    }
    if (from >= 0) kept.push(from === 0 ? piece : piece.subarray(from));
    return kept;
  }

  #inText(byte: number): void {
    if (this.#isEscaped) this.#isEscaped = false;
    else if (byte === BACKSLASH) this.#isEscaped = true;
    else if (byte === QUOTE) {
      this.#isInText = false;
      return;
    }
    // Longer than any key of a path, it is none.
    if (this.#key !== null && this.#key.length <= 64) this.#key += String.fromCharCode(byte);
  }

  /** False at the end of the list that is left out. */
  #leavesOut(byte: number): boolean {
    if (byte === QUOTE) this.#isInText = true;
    else if (byte === OPEN_LIST || byte === OPEN_MAP) this.#depth += 1;
    else if (byte === CLOSE_LIST || byte === CLOSE_MAP) {
      if (this.#depth === this.#leftOutAt) {
        this.#leftOutAt = null;
        return false;
      }
      this.#depth -= 1;
    }
    return true;
  }

  #structure(byte: number): JsonExcess | null {
    switch (byte) {
      case QUOTE:
        this.#isInText = true;
        this.#key = this.#isFollowing() ? '' : null;
        return null;
      case OPEN_LIST:
      case OPEN_MAP:
        return this.#open(byte);
      case CLOSE_LIST:
      case CLOSE_MAP:
        this.#close();
        return null;
      case COLON:
        this.#keys += 1;
        if (this.#isFollowing()) this.#isOnPath = this.#key === this.#path[this.#followed - 1];
        return this.#count();
      case COMMA:
        if (this.#isFollowing()) this.#isOnPath = false;
        return this.#count();
      default:
        return null;
    }
  }

  #open(byte: number): JsonExcess | null {
    const isRoot = this.#depth === 0 && this.#path.length > 0;
    const isNext = this.#isFollowing() && this.#isOnPath;
    this.#depth += 1;
    if (this.#depth > this.#limits.depth) return { kind: 'too-deep', limit: this.#limits.depth };
    if (isNext && this.#followed === this.#path.length) {
      if (byte === OPEN_LIST) this.#leftOutAt = this.#depth;
    } else if ((isRoot || isNext) && byte === OPEN_MAP) {
      this.#followed = this.#depth;
      this.#isOnPath = false;
    }
    return this.#count();
  }

  #close(): void {
    if (this.#isFollowing()) {
      this.#followed -= 1;
      // The object around it goes on behind the value of its key.
      this.#isOnPath = false;
    }
    this.#depth -= 1;
  }

  #isFollowing(): boolean {
    return this.#followed > 0 && this.#depth === this.#followed;
  }

  #count(): JsonExcess | null {
    this.#parts += 1;
    const { parts } = this.#limits;
    return this.#parts > parts ? { kind: 'too-many-parts', limit: parts } : null;
  }
}
