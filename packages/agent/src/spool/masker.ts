const MASK = Buffer.from('***');
/** A run of overlapping secrets longer than this is replaced even if it may continue. */
const MAX_HELD = 64 * 1024;

/**
 * The masked form of a piece of output. `consumed` = how many of the bytes pushed so far it covers.
 */
export interface Masked {
  readonly bytes: Buffer;
  readonly raw: Buffer;
}

/**
 * Replaces secret values by `***` in a stream that may be split anywhere. Bytes that may begin a
 * secret are held back until more output or the end decides, without a time limit: a secret typed
 * key by key must not pass.
 */
export class Masker {
  readonly #values: readonly Buffer[];
  readonly #longest: number;
  /** Excludes most positions of an undecided end, which may be as long as the longest secret. */
  readonly #firstBytes: ReadonlySet<number>;
  #held: Buffer = Buffer.alloc(0);

  constructor(values: readonly string[]) {
    const texts = new Set<string>();
    for (const value of values) {
      if (value === '') continue;
      texts.add(value);
      // A terminal prints every newline as CR LF.
      if (value.includes('\n')) texts.add(value.replace(/\r?\n/g, '\r\n'));
    }
    this.#values = [...texts].map((text) => Buffer.from(text));
    this.#firstBytes = new Set(this.#values.flatMap((value) => value.subarray(0, 1).toJSON().data));
    this.#longest = Math.max(0, ...this.#values.map((value) => value.length));
  }

  /** `raw` of the result is the part of the input that `bytes` replaces. */
  push(piece: Buffer): Masked {
    if (this.#values.length === 0) return { bytes: piece, raw: piece };
    const input = this.#held.length > 0 ? Buffer.concat([this.#held, piece]) : piece;
    const secrets = this.#secretsIn(input);
    const cut = this.#cut(input, secrets);
    this.#held = Buffer.from(input.subarray(cut));
    return replace(input.subarray(0, cut), secrets);
  }

  /** The bytes still held back, at the end of the stream. */
  end(): Masked {
    const input = this.#held;
    this.#held = Buffer.alloc(0);
    return replace(input, this.#secretsIn(input));
  }

  /** Merged [from, to) ranges of all secrets, overlapping ones included. */
  #secretsIn(input: Buffer): [number, number][] {
    const found: [number, number][] = [];
    for (const value of this.#values) {
      for (let at = input.indexOf(value); at >= 0; at = input.indexOf(value, at + 1)) {
        found.push([at, at + value.length]);
      }
    }
    found.sort((a, b) => a[0] - b[0]);
    const merged: [number, number][] = [];
    for (const range of found) {
      const last = merged.at(-1);
      if (last && range[0] < last[1]) last[1] = Math.max(last[1], range[1]);
      else merged.push(range);
    }
    return merged;
  }

  /** Where the undecided end of the input begins. */
  #cut(input: Buffer, secrets: readonly [number, number][]): number {
    for (let at = Math.max(0, input.length - this.#longest + 1); at < input.length; at++) {
      if (!this.#firstBytes.has(input[at] ?? -1)) continue;
      if (!this.#mayBegin(input.subarray(at))) continue;
      const around = secrets.find(([from, to]) => from < at && at < to);
      const cut = around ? around[0] : at;
      return input.length - cut > MAX_HELD ? input.length : cut;
    }
    return input.length;
  }

  #mayBegin(end: Buffer): boolean {
    return this.#values.some(
      (value) => value.length > end.length && value.subarray(0, end.length).equals(end),
    );
  }
}

function replace(input: Buffer, secrets: readonly [number, number][]): Masked {
  const parts: Buffer[] = [];
  let at = 0;
  for (const [from, to] of secrets) {
    if (from >= input.length) break;
    parts.push(input.subarray(at, from), MASK);
    at = to;
  }
  if (at === 0) return { bytes: input, raw: input };
  parts.push(input.subarray(Math.min(at, input.length)));
  return { bytes: Buffer.concat(parts), raw: input };
}
