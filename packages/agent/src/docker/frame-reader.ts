/** A piece of the output of a command in a container. */
export interface OutputPiece {
  readonly isError: boolean;
  readonly bytes: Buffer;
}

const HEADER = 8;
const STDERR = 2;

/**
 * Parses the Engine's stream of a command without a terminal: a header of 8 bytes (1 or 2 for
 * output or error, three zeros, length in big-endian) and the content. Incomplete frames are passed
 * on at once.
 */
export class FrameReader {
  #header = Buffer.alloc(0);
  #isError = false;
  #left = 0;

  *read(data: Buffer): Generator<OutputPiece> {
    let rest = data;
    while (rest.length > 0) {
      if (this.#left === 0) {
        const missing = HEADER - this.#header.length;
        this.#header = Buffer.concat([this.#header, rest.subarray(0, missing)]);
        rest = rest.subarray(missing);
        if (this.#header.length < HEADER) return;
        this.#isError = this.#header[0] === STDERR;
        this.#left = this.#header.readUInt32BE(4);
        this.#header = Buffer.alloc(0);
        continue;
      }
      const bytes = rest.subarray(0, this.#left);
      this.#left -= bytes.length;
      rest = rest.subarray(bytes.length);
      yield { isError: this.#isError, bytes };
    }
  }
}
