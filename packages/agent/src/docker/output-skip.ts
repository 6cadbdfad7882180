const NEWLINE = 10;

/**
 * Skips the beginning of a copy of a job's output: as many newlines, and bytes of the line after
 * them, as were read before.
 */
export class OutputSkip {
  #newlines: number;
  #tail: number;

  constructor(place: { readonly newlines: number; readonly tail: number }) {
    this.#newlines = place.newlines;
    this.#tail = place.tail;
  }

  /** The part of the piece that is new. */
  push(piece: Buffer): Buffer {
    let at = 0;
    while (this.#newlines > 0) {
      const next = piece.indexOf(NEWLINE, at);
      if (next < 0) return piece.subarray(piece.length);
      this.#newlines -= 1;
      at = next + 1;
    }
    const tail = Math.min(this.#tail, piece.length - at);
    this.#tail -= tail;
    return piece.subarray(at + tail);
  }
}

/** The last bytes of a stream, for comparing two copies of the same output. */
export class RecentBytes {
  readonly #max: number;
  #bytes: Buffer = Buffer.alloc(0);

  constructor(max: number) {
    this.#max = max;
  }

  push(piece: Buffer): void {
    const all = Buffer.concat([this.#bytes, piece]);
    this.#bytes = Buffer.from(all.subarray(Math.max(0, all.length - this.#max)));
  }

  /** Whether both streams have data, end in a newline, and agree in their common length. */
  endsLike(other: RecentBytes): boolean {
    const length = Math.min(this.#bytes.length, other.#bytes.length);
    if (length === 0 || this.#bytes.at(-1) !== NEWLINE) return false;
    return this.#bytes
      .subarray(this.#bytes.length - length)
      .equals(other.#bytes.subarray(other.#bytes.length - length));
  }
}
