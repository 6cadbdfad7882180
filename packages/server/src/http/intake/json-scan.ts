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
  /** Lists with a rule of their own, by the keys that lead to them (`plan.current_resource.jobs`). */
  readonly lists: ReadonlyMap<string, ListRule>;
}

/**
 * `leave-out`: nobody reads the list, so its elements are not kept. `long`: it and others like it
 * may have so many parts, which are not counted among the others.
 */
export type ListRule =
  | { readonly kind: 'leave-out' }
  | { readonly kind: 'long'; readonly parts: number };

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

/** Of a path: neither so many keys nor so long ones lead to a list with a rule. */
const LONGEST_PATH = 8;
const LONGEST_KEY = 64;

export class JsonScan {
  readonly #limits: JsonLimits;
  #depth = 0;
  #parts = 0;
  #longParts = 0;
  #keys = 0;
  #isInText = false;
  #isEscaped = false;
  /** The text that began last, where it may be a key of a path. */
  #text: string | null = null;
  /** The present key of each object around here, from the outside; as long as there is no list. */
  readonly #path: string[] = [];
  /** Depth of the outermost list around here, and its rule. */
  #listAt: number | null = null;
  #rule: ListRule | null = null;

  constructor(limits: JsonLimits) {
    this.#limits = limits;
  }

  /** Keys of objects so far, without what is left out. */
  get keys(): number {
    return this.#keys;
  }

  /** What is to be kept of the next piece, in its order. */
  push(piece: Buffer): readonly Buffer[] | JsonExcess {
    const kept: Buffer[] = [];
    let from = this.#isLeavingOut() ? -1 : 0;
    for (let i = 0; i < piece.length; i++) {
      const byte = piece[i] as number;
      if (this.#isInText) {
        this.#inText(byte);
        continue;
      }
      const excess = this.#structure(byte);
      if (excess) return excess;
      const isKept = !this.#isLeavingOut();
      if (isKept && from === -1) from = i;
      if (isKept || from === -1) continue;
      kept.push(piece.subarray(from, i + 1));
      from = -1;
    }
    if (from === 0) kept.push(piece);
    else if (from > 0) kept.push(piece.subarray(from));
    return kept;
  }

  #isLeavingOut(): boolean {
    return this.#rule?.kind === 'leave-out';
  }

  #inText(byte: number): void {
    if (this.#isEscaped) this.#isEscaped = false;
    else if (byte === BACKSLASH) this.#isEscaped = true;
    else if (byte === QUOTE) {
      this.#isInText = false;
      return;
    }
    if (this.#text !== null && this.#text.length <= LONGEST_KEY) {
      this.#text += String.fromCharCode(byte);
    }
  }

  #structure(byte: number): JsonExcess | null {
    switch (byte) {
      case QUOTE:
        this.#isInText = true;
        this.#text = this.#listAt === null && this.#depth <= LONGEST_PATH ? '' : null;
        return null;
      case OPEN_LIST:
      case OPEN_MAP:
        return this.#open(byte);
      case CLOSE_LIST:
      case CLOSE_MAP:
        this.#close();
        return null;
      case COLON:
        if (!this.#isLeavingOut()) this.#keys += 1;
        if (this.#listAt === null) this.#path[this.#depth - 1] = this.#text ?? '';
        return this.#count();
      case COMMA:
        return this.#count();
      default:
        return null;
    }
  }

  #open(byte: number): JsonExcess | null {
    const excess = this.#count();
    this.#depth += 1;
    if (this.#depth > this.#limits.depth && !this.#isLeavingOut()) {
      return { kind: 'too-deep', limit: this.#limits.depth };
    }
    if (byte === OPEN_LIST && this.#listAt === null) {
      this.#listAt = this.#depth;
      this.#rule = this.#ruleOf(this.#depth - 1);
    }
    return excess;
  }

  /** `length`: keys that lead to the list. */
  #ruleOf(length: number): ListRule | null {
    const { lists } = this.#limits;
    if (lists.size === 0 || length === 0 || length > LONGEST_PATH) return null;
    return lists.get(this.#path.slice(0, length).join('.')) ?? null;
  }

  #close(): void {
    if (this.#depth === this.#listAt) {
      this.#listAt = null;
      this.#rule = null;
    }
    this.#depth -= 1;
  }

  #count(): JsonExcess | null {
    if (this.#rule?.kind === 'leave-out') return null;
    if (this.#rule?.kind === 'long') {
      this.#longParts += 1;
      return this.#longParts > this.#rule.parts ? tooMany(this.#rule.parts) : null;
    }
    this.#parts += 1;
    return this.#parts > this.#limits.parts ? tooMany(this.#limits.parts) : null;
  }
}

function tooMany(limit: number): JsonExcess {
  return { kind: 'too-many-parts', limit };
}
