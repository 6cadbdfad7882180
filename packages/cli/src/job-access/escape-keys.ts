const TILDE = 0x7e;
const DOT = 0x2e;
const RETURN = 0x0d;
const NEWLINE = 0x0a;

/**
 * Recognises `~.` at the start of a typed line, which leaves a terminal whose program or connection
 * does not react, as in ssh. `~~` is one `~`.
 */
export class EscapeKeys {
  #isLineStart = true;
  #hasTilde = false;

  /** The bytes to send; null: leave. */
  read(typed: Uint8Array): Uint8Array | null {
    const sent: number[] = [];
    for (const byte of typed) {
      if (this.#hasTilde) {
        this.#hasTilde = false;
        if (byte === DOT) return null;
        sent.push(TILDE);
        if (byte !== TILDE) sent.push(byte);
        this.#isLineStart = isLineEnd(byte);
      } else if (this.#isLineStart && byte === TILDE) {
        this.#hasTilde = true;
      } else {
        sent.push(byte);
        this.#isLineStart = isLineEnd(byte);
      }
    }
    return Uint8Array.from(sent);
  }
}

function isLineEnd(byte: number): boolean {
  return byte === RETURN || byte === NEWLINE;
}
