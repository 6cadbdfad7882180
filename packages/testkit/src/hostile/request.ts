import { connect } from 'node:net';

/** A request as bytes: no library would send most of these. */
export interface HostileRequest {
  readonly method: string;
  readonly path: string;
  /** Without `Host`, `Connection` and `Content-Length`. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Buffer | null;
}

export interface HostileInput {
  readonly name: string;
  /** Larger inputs are refused because of their size, so they are not sent. */
  readonly most: number;
  /** The number of repetitions, as one request of that size may be too short to measure. */
  readonly repeats?: number;
  request(size: number): HostileRequest;
}

export interface HostileAnswer {
  /** 0: the connection was closed without an answer; null: no answer arrived in time. */
  readonly status: number | null;
  readonly bytes: number;
}

/** For hangs: a parser that is not linear may take minutes. */
const PATIENCE_MS = 20_000;

/** Sends it over its own connection and reads the answer to its end. */
export function sendHostile(url: string, token: string, request: HostileRequest) {
  const { hostname, port } = new URL(url);
  const { method, path, headers, body } = request;
  const lines = [
    `${method} ${path} HTTP/1.1`,
    'Host: hostile',
    'Connection: close',
    ...(body === null ? [] : [`Content-Length: ${body.length}`]),
    ...headers.map(([name, value]) => `${name}: ${value.replace('@TOKEN', token)}`),
  ];
  return new Promise<HostileAnswer>((resolve) => {
    let head = '';
    let bytes = 0;
    const socket = connect(Number(port), hostname);
    socket.on('data', (piece) => {
      if (head.length < 20) head += piece.toString('latin1', 0, 20);
      bytes += piece.length;
    });
    socket.setTimeout(PATIENCE_MS, () => {
      resolve({ status: null, bytes });
      socket.destroy();
    });
    // The server may have closed before everything was sent; what it answered before counts.
    socket.on('error', () => {});
    socket.on('close', () => {
      resolve({ status: Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1] ?? 0), bytes });
    });
    socket.write(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
    if (body !== null) socket.write(body);
  });
}

export const BEARER = ['Authorization', 'Bearer @TOKEN'] as const;

export function post(path: string, body: string | Buffer): HostileRequest {
  const headers = [BEARER, ['Content-Type', 'application/json'] as const];
  return { method: 'POST', path, headers, body: Buffer.from(body) };
}
