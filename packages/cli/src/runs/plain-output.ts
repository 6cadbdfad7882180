import { TerminalText } from '@dstack/contract/terminal-text';

/** An unfinished line is printed after this pause: nothing may follow it for a long time. */
const PAUSE_MS = 500;

/**
 * The output of a job's terminal as text for files and pipes: lines end with a newline only, there
 * are no escape sequences, and a line that was redrawn is printed once.
 */
export class PlainOutput {
  readonly #text = new TerminalText(0);
  readonly #write: (bytes: Uint8Array) => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(write: (bytes: Uint8Array) => void) {
    this.#write = write;
  }

  add(bytes: Uint8Array): void {
    clearTimeout(this.#timer);
    this.#text.feed(bytes, (piece) => this.#print(piece.text));
    if (this.#text.pending) {
      this.#timer = setTimeout(() => this.#print(this.#text.cut().text), PAUSE_MS);
      // The stream itself keeps the process alive, and `end` prints the rest.
      this.#timer.unref();
    }
  }

  end(): void {
    clearTimeout(this.#timer);
    const rest = this.#text.finish((piece) => this.#print(piece.text));
    if (rest !== null) this.#print(rest.text);
  }

  #print(text: string): void {
    if (text !== '') this.#write(Buffer.from(text));
  }
}
