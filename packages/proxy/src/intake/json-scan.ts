/**
 * Checks the structure of JSON byte by byte while it arrives, before it is parsed: a megabyte of
 * brackets costs the parser a hundred times as much as a megabyte of text. The parser, not this scan,
 * decides whether the text is valid JSON.
 */
export interface JsonLimits {
  /** Levels of lists and objects. */
  readonly depth: number;
  /** Lists, objects, members and elements together. */
  readonly parts: number;
  /** Lists with rules of their own, by path (`plan.current_resource.jobs`). */
  readonly lists: ReadonlyMap<string, ListRule>;
}

/**
 * `leave-out`: the list is not used, so its elements are dropped. `long`: all such lists together
 * may have this many parts, in addition to `JsonLimits.parts`.
 */
export type ListRule =
  | { readonly kind: 'leave-out' }
  | { readonly kind: 'long'; readonly parts: number };

export type JsonExcess =
  | { readonly kind: 'too-deep'; readonly limit: number }
  | { readonly kind: 'too-many-parts'; readonly limit: number };

export const JSON_LIMITS: JsonLimits = {
  // Valid requests have about a dozen levels.
  depth: 100,
  parts: 6000,
  lists: new Map(),
};

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const OPEN_MAP = 0x7b;
const CLOSE_MAP = 0x7d;

/** No list with a rule has a path with more keys, or longer ones. */
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
  /** The latest string if it may be a key of a path, else null. */
  #text: string | null = null;
  /** Keys that lead to the current position, outermost first; not followed into lists. */
  readonly #path: string[] = [];
  /** Depth and rule of the outermost list that contains the current position. */
  #listAt: number | null = null;
  #rule: ListRule | null = null;

  constructor(limits: JsonLimits) {
    this.#limits = limits;
  }

  /** Number of object keys so far, without those of dropped lists. */
  get keys(): number {
    return this.#keys;
  }

  /** Scans the next piece and returns the parts of it to keep, in order. */
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

  /** `length`: number of keys in the path of the list. */
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
