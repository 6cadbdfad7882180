/** Questions to a terminal: state and cursor (`CSI n`), what it is (`CSI c`), colours (`OSC … ?`). */
const QUERY = /\x1b\[[?>=]?[\d;]*[nc]|\x1b\][\d;]*\?(?:\x07|\x1b\\)/g;
/** What may become one with the next bytes. */
const BEGUN = /\x1b(?:\[[?>=]?[\d;]*|\][\d;]*\??\x1b?)?$/;
/** No question is as long as this. */
const LONGEST = 64;

/**
 * Takes out of a job's output what asks the terminal something. The job's shell has its own, and the
 * answer of the user's would come as typed input to whatever reads that next.
 */
export class TerminalQueries {
  readonly #write: (bytes: Uint8Array) => void;
  #held = '';

  constructor(write: (bytes: Uint8Array) => void) {
    this.#write = write;
  }

  add(bytes: Uint8Array): void {
    // Each byte a character, so that nothing else changes.
    const text = (this.#held + Buffer.from(bytes).toString('latin1')).replace(QUERY, '');
    const begun = BEGUN.exec(text.slice(-LONGEST))?.[0] ?? '';
    this.#held = begun;
    const shown = text.slice(0, text.length - begun.length);
    if (shown !== '') this.#write(Buffer.from(shown, 'latin1'));
  }

  end(): void {
    if (this.#held !== '') this.#write(Buffer.from(this.#held, 'latin1'));
    this.#held = '';
  }
}
