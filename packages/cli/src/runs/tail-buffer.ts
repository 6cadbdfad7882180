const NEWLINE = 10;

/** Keeps the last `limit` lines of a stream of bytes; an unfinished last line counts as one. */
export class TailBuffer {
  readonly #limit: number;
  #kept: Uint8Array = new Uint8Array(0);

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(bytes: Uint8Array): void {
    const joined = new Uint8Array(this.#kept.byteLength + bytes.byteLength);
    joined.set(this.#kept);
    joined.set(bytes, this.#kept.byteLength);
    this.#kept = joined.slice(this.#start(joined));
  }

  bytes(): Uint8Array {
    return this.#kept;
  }

  #start(bytes: Uint8Array): number {
    if (this.#limit === 0) return bytes.byteLength;
    let lines = 0;
    // A newline at the very end closes the last line and does not open another one.
    for (let at = bytes.byteLength - 2; at >= 0; at -= 1) {
      if (bytes[at] !== NEWLINE) continue;
      lines += 1;
      if (lines === this.#limit) return at + 1;
    }
    return 0;
  }
}
