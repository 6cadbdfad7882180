import type { Duplex } from 'node:stream';
import { MAX_GATEWAY_LINE } from '@dstack/contract/agent';

/** One JSON object per line in both directions. */
export class LineChannel {
  readonly #stream: Duplex;

  /** `onLine` may throw: the connection then ends with that error. */
  constructor(
    stream: Duplex,
    onLine: (line: string) => void,
    onEnd: (error: Error | null) => void,
  ) {
    this.#stream = stream;
    let pending: Buffer[] = [];
    let size = 0;
    let failure: Error | null = null;
    stream.on('data', (chunk: Buffer) => {
      let from = 0;
      for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, from)) {
        pending.push(chunk.subarray(from, at));
        const line = Buffer.concat(pending).toString();
        pending = [];
        size = 0;
        from = at + 1;
        try {
          onLine(line);
        } catch (error) {
          failure = error as Error;
          stream.destroy();
          return;
        }
      }
      if (from < chunk.length) {
        pending.push(chunk.subarray(from));
        size += chunk.length - from;
      }
      if (size > MAX_GATEWAY_LINE) stream.destroy(new Error('a line is too long'));
    });
    stream.on('error', (error) => {
      failure ??= error;
    });
    stream.on('end', () => stream.destroy());
    stream.on('close', () => onEnd(failure));
  }

  send(message: object): void {
    if (!this.#stream.destroyed) this.#stream.write(`${JSON.stringify(message)}\n`);
  }

  close(): void {
    this.#stream.destroy();
  }
}
