import { TerminalText } from '@dstack/contract/terminal-text';

/** The last line with text of a program's output, as a terminal would show it. */
export class LastLine {
  readonly #text = new TerminalText(0);
  readonly #max: number;
  #last = '';

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
    if (line !== '') this.#last = line.slice(0, this.#max);
  }
}
