/** Queries to a terminal: state and cursor (`CSI n`), device (`CSI c`), colours (`OSC … ?`). */
const QUERY = /\x1b\[[?>=]?[\d;]*[nc]|\x1b\][\d;]*\?(?:\x07|\x1b\\)/g;
/** A possible start of a query, to be completed by the next bytes. */
const BEGUN = /\x1b(?:\[[?>=]?[\d;]*|\][\d;]*\??\x1b?)?$/;
/** No query is as long as this. */
const LONGEST = 64;

/**
 * Removes terminal queries from a job's output. The answer of the user's terminal would arrive as
 * typed input to the program that reads next; the job has its own terminal.
 */
export class TerminalQueries {
  readonly #write: (bytes: Uint8Array) => void;
  #held = '';

  constructor(write: (bytes: Uint8Array) => void) {
    this.#write = write;
  }

  add(bytes: Uint8Array): void {
    // One character per byte, so that nothing else changes.
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
