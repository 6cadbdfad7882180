/**
 * What is said on the relay's unix socket before the bytes of a connection, each line ended by a
 * newline. To connect the caller sends `{"host":"...","port":n}`, the relay answers `ok` or
 * `error <why>`. To listen it sends `{"listen":"...","port":n}` and hears `ok <port>`; from then on
 * a line `{"id":n,"host":"...","port":n}` for each connection, which it takes over by `{"take":n}` on
 * a connection of its own. Closing the first one ends the listening.
 */
export interface Target {
  readonly host: string;
  readonly port: number;
}

export type RelayRequest =
  | { readonly kind: 'dial'; readonly target: Target }
  | { readonly kind: 'listen'; readonly target: Target }
  | { readonly kind: 'take'; readonly id: number };

const MAX_LINE = 1024;

/** Takes bytes until a newline; then gives the line and what follows it. */
export class LineReader {
  #bytes = Buffer.alloc(0);

  /** Null = not complete yet. Throws when no line comes. */
  push(data: Buffer): { readonly line: string; readonly rest: Buffer } | null {
    this.#bytes = Buffer.concat([this.#bytes, data]);
    const end = this.#bytes.indexOf(10);
    if (end < 0 && this.#bytes.length < MAX_LINE) return null;
    if (end < 0) throw new Error('no line on the relay socket');
    return { line: this.#bytes.toString('utf8', 0, end), rest: this.#bytes.subarray(end + 1) };
  }
}

/** Null for what is no request. */
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
