const NEWLINE = 10;
const RETURN = 13;
/** A line longer than this is printed in pieces. */
const MAX_LINE = 32 * 1024;
const REDRAW_MS = 1000;

/**
 * Splits the output of one node into labelled lines, so that the output of several nodes can be
 * mixed. A line that is redrawn again and again (a progress bar) is printed in its latest state.
 */
export class NodeLines {
  readonly #label: Uint8Array;
  readonly #write: (bytes: Uint8Array) => void;
  readonly #now: () => number;
  #rest: Buffer = Buffer.alloc(0);
  #shownAt = 0;

  /** @param now milliseconds */
  constructor(label: string, write: (bytes: Uint8Array) => void, now: () => number) {
    this.#label = Buffer.from(label);
    this.#write = write;
    this.#now = now;
  }

  add(bytes: Uint8Array): void {
    let rest = Buffer.concat([this.#rest, bytes]);
    for (let end = rest.indexOf(NEWLINE); end >= 0; end = rest.indexOf(NEWLINE)) {
      this.#show(rest.subarray(0, end));
      rest = rest.subarray(end + 1);
    }
    this.#rest = rest;
    const redraws = rest.lastIndexOf(RETURN, rest.length - 2) > 0;
    const due = this.#now() - this.#shownAt >= REDRAW_MS;
    if (rest.length > MAX_LINE || (redraws && due)) this.end();
  }

  /** Prints the rest of an unfinished line. */
  end(): void {
    if (this.#rest.length > 0) this.#show(this.#rest);
    this.#rest = Buffer.alloc(0);
  }

  #show(line: Buffer): void {
    const end = line.at(-1) === RETURN ? line.length - 1 : line.length;
    const from = end === 0 ? -1 : line.lastIndexOf(RETURN, end - 1);
    const newest = line.subarray(from + 1, end);
    this.#shownAt = this.#now();
    this.#write(Buffer.concat([this.#label, newest, Buffer.of(NEWLINE)]));
  }
}
