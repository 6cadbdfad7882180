/**
 * Collects bytes in one buffer. A list of pieces would need a hundred times the memory for a body that
 * arrives byte by byte.
 */
export class Gathered {
  #buffer: Buffer = Buffer.alloc(0);
  #length = 0;
  readonly #reserve: (bytes: number) => void;
  readonly #expected: number;

  /**
   * `reserve` is called before memory is allocated, and throws if there is not enough. `expected`: the
   * announced size, beyond which no memory is allocated in advance.
   */
  constructor(reserve: (bytes: number) => void, expected = Number.POSITIVE_INFINITY) {
    this.#reserve = reserve;
    this.#expected = expected;
  }

  get length(): number {
    return this.#length;
  }

  add(piece: Buffer): void {
    const needed = this.#length + piece.length;
    if (needed > this.#buffer.length) this.#grow(needed);
    piece.copy(this.#buffer, this.#length);
    this.#length = needed;
  }

  bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  #grow(needed: number): void {
    const { length } = this.#buffer;
    const ahead = Math.min(length * 2, length + STEP, this.#expected);
    const size = Math.max(needed, ahead);
    this.#reserve(size - length);
    const larger = Buffer.allocUnsafeSlow(size);
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }
}

/** Bytes allocated in advance at most. */
const STEP = 1024 * 1024;
