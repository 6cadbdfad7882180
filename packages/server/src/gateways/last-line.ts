import { TerminalText } from '@dstack/contract/terminal-text';

/** Node.js writes a hint and its version after the error that it ends with. */
const NODE_VERSION = /^Node\.js v\d+\./;
const NODE_HINT = /^\(Use `node --/;
const ERROR = /^(?:Uncaught )?\w*(?:Error|Exception)\b/;

/** The last line with text of a program's output, as a terminal would show it; of one in Node.js, its error. */
export class LastLine {
  readonly #text = new TerminalText(0);
  readonly #max: number;
  #last = '';
  #error: string | null = null;

  /** `max`: characters. */
  constructor(max: number) {
    this.#max = max;
  }

  feed(bytes: Uint8Array): void {
    this.#text.feed(bytes, ({ text }) => this.#keep(text));
  }

  finish(): string {
    const rest = this.#text.finish(({ text }) => this.#keep(text));
    if (rest !== null) this.#keep(rest.text);
    return this.#last;
  }

  #keep(text: string): void {
    const line = text.replaceAll(/\p{Cc}/gu, ' ').trim();
    if (line === '' || NODE_HINT.test(line)) return;
    if (NODE_VERSION.test(line)) {
      this.#last = this.#error ?? this.#last;
      return;
    }
    this.#last = line.slice(0, this.#max);
    if (ERROR.test(line)) this.#error = this.#last;
  }
}
