import { plainText } from '@dstack/contract/plain-text';
import { TerminalText } from '@dstack/contract/terminal-text';
import { firstPartOfLine, MOST_CHARACTERS } from './bounds.ts';

/**
 * Collects the last lines of output while it arrives, without colours and other control sequences; of a line
 * that was redrawn, the last state. A server calls it for many agents, so it keeps no more than an answer
 * may contain.
 */
export class LastLines {
  readonly #most: number;
  readonly #matches: (line: string) => boolean;
  readonly #reader = new TerminalText(0);
  readonly #lines: string[] = [];
  #characters = 0;
  /** The beginning of a line that has not ended. */
  #rest = '';

  constructor(most: number, matches: (line: string) => boolean) {
    this.#most = most;
    this.#matches = matches;
  }

  add(output: Uint8Array): void {
    this.#reader.feed(output, this.#take);
  }

  /** After all output. */
  end(): string[] {
    const last = this.#reader.finish(this.#take);
    if (last !== null) this.#take(last);
    if (this.#rest !== '') this.#add(this.#rest);
    this.#rest = '';
    return this.#lines;
  }

  readonly #take = ({ text }: { readonly text: string }): void => {
    const parts = text.split('\n');
    for (const [index, part] of parts.entries()) {
      if (this.#rest.length < MOST_CHARACTERS) this.#rest += part.slice(0, MOST_CHARACTERS);
      if (index === parts.length - 1) return;
      this.#add(this.#rest);
      this.#rest = '';
    }
  };

  #add(text: string): void {
    const whole = plainText(text);
    if (!this.#matches(whole)) return;
    const line = firstPartOfLine(whole);
    this.#lines.push(line);
    this.#characters += line.length;
    while (this.#lines.length > this.#most || this.#isTooLong()) {
      this.#characters -= this.#lines.shift()?.length ?? 0;
    }
  }

  #isTooLong(): boolean {
    return this.#lines.length > 1 && this.#characters > 2 * MOST_CHARACTERS;
  }
}
