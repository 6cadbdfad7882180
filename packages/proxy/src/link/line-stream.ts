import type { Duplex } from 'node:stream';

export interface LineStreamOptions {
  /** May throw: the connection then ends with that error. */
  readonly onLine: (line: string) => void;
  /** Null: without an error. */
  readonly onEnd: (error: Error | null) => void;
  /** Bytes; a longer line ends the connection. */
  readonly longest: number;
}

/** A connection with one JSON object per line in both directions. */
export class LineStream {
  readonly #stream: Duplex;
  readonly #options: LineStreamOptions;
  #parts: Buffer[] = [];
  #size = 0;
  #failure: Error | null = null;

  constructor(stream: Duplex, options: LineStreamOptions) {
    this.#stream = stream;
    this.#options = options;
    stream.on('data', (piece: Buffer) => this.#push(piece));
    stream.on('error', (error) => {
      this.#failure ??= error;
      stream.destroy();
    });
    stream.on('end', () => stream.destroy());
    stream.once('close', () => options.onEnd(this.#failure));
  }

  send(message: object): void {
    if (!this.#stream.destroyed) this.#stream.write(`${JSON.stringify(message)}\n`);
  }

  /** Until `resume` nothing more is read, so the sender waits. */
  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  close(): void {
    this.#stream.destroy();
  }

  #push(piece: Buffer): void {
    let from = 0;
    for (let end = piece.indexOf(10); end >= 0; end = piece.indexOf(10, from)) {
      this.#parts.push(piece.subarray(from, end));
      const line = Buffer.concat(this.#parts).toString();
      this.#parts = [];
      this.#size = 0;
      from = end + 1;
      try {
        this.#options.onLine(line);
      } catch (error) {
        this.#failure = error as Error;
        this.#stream.destroy();
        return;
      }
    }
    if (from === piece.length) return;
    this.#parts.push(piece.subarray(from));
    this.#size += piece.length - from;
    if (this.#size > this.#options.longest) this.#stream.destroy(new Error('a line is too long'));
  }
}
