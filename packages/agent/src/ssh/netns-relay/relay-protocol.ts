/**
 * What is said on the relay's unix socket before the bytes of a connection: the caller sends one line
 * `{"host":"...","port":n}`, the relay answers `ok` or `error <why>`, each ended by a newline.
 */
export interface Target {
  readonly host: string;
  readonly port: number;
}

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

/** Null for what is no target. */
export function parseTarget(line: string): Target | null {
  try {
    const { host, port } = JSON.parse(line);
    const fits = typeof host === 'string' && Number.isInteger(port) && port > 0 && port < 65536;
    return fits ? { host, port } : null;
  } catch {
    return null;
  }
}
