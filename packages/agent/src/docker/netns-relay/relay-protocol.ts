/**
 * The lines on the relay's unix socket before the bytes of a connection. To connect, the caller
 * sends `{"host":"...","port":n}`, and the relay answers `ok` or `error <why>`. To listen, it sends
 * `{"listen":"...","port":n}` and receives `ok <port>`, then a line
 * `{"id":n,"host":"...","port":n}` for each connection, which it takes by `{"take":n}` on a new
 * connection. Closing the first connection ends the listening.
 */
export interface RelayTarget {
  readonly host: string;
  readonly port: number;
}

export type RelayRequest =
  | { readonly kind: 'dial'; readonly target: RelayTarget }
  | { readonly kind: 'listen'; readonly target: RelayTarget }
  | { readonly kind: 'take'; readonly id: number };

const MAX_LINE = 1024;

/** Collects bytes until a newline, then returns the line and the bytes after it. */
export class LineReader {
  #bytes = Buffer.alloc(0);

  /** Null = not complete yet. Throws if the line is too long. */
  push(data: Buffer): { readonly line: string; readonly rest: Buffer } | null {
    this.#bytes = Buffer.concat([this.#bytes, data]);
    const end = this.#bytes.indexOf(10);
    if (end < 0 && this.#bytes.length < MAX_LINE) return null;
    if (end < 0) throw new Error('no line on the relay socket');
    return { line: this.#bytes.toString('utf8', 0, end), rest: this.#bytes.subarray(end + 1) };
  }
}

/** Null if it is not a request. */
export function parseRequest(line: string): RelayRequest | null {
  try {
    const { host, listen, take, port } = JSON.parse(line);
    if (Number.isInteger(take)) return { kind: 'take', id: take };
    const listens = typeof listen === 'string';
    const fits = Number.isInteger(port) && port >= (listens ? 0 : 1) && port < 65536;
    if (!fits) return null;
    if (listens) return { kind: 'listen', target: { host: listen, port } };
    return typeof host === 'string' ? { kind: 'dial', target: { host, port } } : null;
  } catch {
    return null;
  }
}
