/** Bytes that may wait to be drawn. A browser cannot make the job print more slowly. */
const MOST_WAITING = 8 * 1024 * 1024;

type Write = (data: Uint8Array | string, drawn?: () => void) => void;

/**
 * Passes output on to the screen, as long as it keeps up. What arrives beyond that is left out, and a
 * line reports how much.
 */
export class OutputGate {
  readonly #write: Write;
  readonly #most: number;
  #waiting = 0;
  #omitted = 0;

  constructor(write: Write, most = MOST_WAITING) {
    this.#write = write;
    this.#most = most;
  }

  add(bytes: Uint8Array): void {
    if (this.#waiting > 0 && this.#waiting + bytes.byteLength > this.#most) {
      this.#omitted += bytes.byteLength;
      return;
    }
    this.#waiting += bytes.byteLength;
    this.#write(bytes, () => {
      this.#waiting -= bytes.byteLength;
      if (this.#waiting === 0) this.#reportOmitted();
    });
  }

  #reportOmitted(): void {
    if (this.#omitted === 0) return;
    const megabytes = Math.max(0.1, this.#omitted / 1024 / 1024).toFixed(1);
    this.#omitted = 0;
    this.#write(`\r\n\x1b[0;2m[${megabytes} MB of output were left out]\x1b[0m\r\n`);
  }
}
