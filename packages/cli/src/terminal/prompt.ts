import { CancelledError, CliError } from '../errors.ts';
import type { Io, Source } from './io.ts';

/**
 * Reads answers line by line from the input, terminal or not: `echo n | dstack apply` is a
 * documented use. There is one per process, because input read beyond a line must not be lost.
 */
export class Prompter {
  readonly #io: Io;
  #iterator: AsyncIterator<Uint8Array | string> | null = null;
  #rest = '';

  constructor(io: Io) {
    this.#io = io;
  }

  /**
   * Asks until the answer is y or n. `hint` names the flag that replaces the question; an empty
   * answer means `byDefault`, if there is one.
   */
  async confirm(question: string, hint = '--yes', byDefault?: boolean): Promise<boolean> {
    const choice = byDefault === undefined ? '[y/n]' : byDefault ? '[Y/n]' : '[y/N]';
    for (;;) {
      this.#io.put(`${question} ${this.#io.paintErr('code', choice)}: `);
      const line = await this.#readLine(question, hint);
      const answer = line.trim().toLowerCase();
      if (this.#io.interactive) this.#io.lineTyped();
      else this.#io.endLine();
      if (answer === '' && byDefault !== undefined) return byDefault;
      if (answer === 'y' || answer === 'yes') return true;
      if (answer === 'n' || answer === 'no') return false;
      this.#io.info('Please answer y or n.');
    }
  }

  /** One line. `isHidden`: it is not shown while it is typed. */
  async ask(question: string, { isHidden }: { readonly isHidden: boolean }): Promise<string> {
    this.#io.put(`${question}: `);
    const { input } = this.#io;
    const isRaw = isHidden && this.#io.interactive && input.setRawMode !== undefined;
    if (isRaw) input.setRawMode?.(true);
    try {
      const line = isRaw ? await this.#readKeys(question) : await this.#readLine(question, '-f');
      return line.replace(/\r$/, '');
    } finally {
      if (isRaw) input.setRawMode?.(false);
      if (this.#io.interactive && !isRaw) this.#io.lineTyped();
      else this.#io.endLine();
    }
  }

  /** A line of a raw terminal, which neither shows keys nor edits the line. */
  async #readKeys(question: string): Promise<string> {
    let typed = '';
    const decoder = new TextDecoder();
    const iterator = this.#source();
    for (;;) {
      const { value, done } = await iterator.next();
      if (done) throw noAnswer(question, '-f');
      const chunk = typeof value === 'string' ? value : decoder.decode(value, { stream: true });
      for (const [at, key] of [...chunk].entries()) {
        if (key === '\r' || key === '\n') {
          this.#rest = [...chunk].slice(at + 1).join('');
          return typed;
        }
        if (key === '\u0003' || key === '\u0004') throw new CancelledError();
        typed = key === '\u007f' || key === '\b' ? typed.slice(0, -1) : typed + key;
      }
    }
  }

  /** Everything left in the input, for `-f -` and `secret set NAME < file`. */
  async readAll(): Promise<string> {
    const decoder = new TextDecoder();
    let text = this.#rest;
    this.#rest = '';
    const iterator = this.#source();
    for (;;) {
      const { value, done } = await iterator.next();
      if (done) return text + decoder.decode();
      text += typeof value === 'string' ? value : decoder.decode(value, { stream: true });
    }
  }

  /** Releases the input. Not awaited: a pending read ends only with the input. */
  close(): void {
    void this.#iterator?.return?.();
    this.#iterator = null;
  }

  async #readLine(question: string, hint: string): Promise<string> {
    const decoder = new TextDecoder();
    const iterator = this.#source();
    for (;;) {
      const newline = this.#rest.indexOf('\n');
      if (newline >= 0) {
        const line = this.#rest.slice(0, newline);
        this.#rest = this.#rest.slice(newline + 1);
        return line;
      }
      const { value, done } = await iterator.next();
      if (done) {
        if (this.#rest !== '') {
          const line = this.#rest;
          this.#rest = '';
          return line;
        }
        throw noAnswer(question, hint);
      }
      const chunk = typeof value === 'string' ? value : decoder.decode(value, { stream: true });
      if (chunk.includes('\u0003')) throw new CancelledError();
      this.#rest += chunk;
    }
  }

  #source(): AsyncIterator<Uint8Array | string> {
    this.#iterator ??= (this.#io.input as Source)[Symbol.asyncIterator]();
    return this.#iterator;
  }
}

function noAnswer(question: string, hint: string): CliError {
  return new CliError('No answer', {
    exitCode: 2,
    why: `the input ended at the question "${question}"`,
    next: `pass ${hint} to continue without questions`,
    blankLine: true,
  });
}
