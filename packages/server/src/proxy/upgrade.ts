/** Connections that stop being HTTP (WebSocket): joined once the service has agreed. */
import { request as httpRequest, type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { type ResponseContext, responseHeaders, SANDBOX } from './headers.ts';
import type { RawHeaders } from './raw-headers.ts';
import type { ProxyRefusal } from './refusal.ts';

export interface Upgrade {
  readonly request: IncomingMessage;
  /** The client's connection, and what it has already sent beyond the request. */
  readonly socket: Duplex;
  readonly head: Buffer;
  readonly path: string;
  readonly headers: readonly string[];
  readonly answer: ResponseContext;
  readonly timeoutMs: number;
}

/** Resolves when both connections are closed; rejects when the service has not answered. */
export function joinUpgrade(connection: Duplex, upgrade: Upgrade): Promise<void> {
  const { request, socket, head, path, headers, answer, timeoutMs } = upgrade;
  const answerTo = (response: IncomingMessage, own: readonly string[]) =>
    headOf(response, [...responseHeaders(response.rawHeaders, answer), ...own]);
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest({
      method: request.method,
      path,
      headers: [...headers, 'Connection', 'Upgrade', 'Upgrade', request.headers.upgrade ?? ''],
      createConnection: () => connection as never,
      timeout: timeoutMs,
    });
    outgoing.on('timeout', () => outgoing.destroy(new Error('no answer in time')));
    outgoing.on('error', reject);
    socket.once('close', () => outgoing.destroy());
    outgoing.on('upgrade', (response, upstream, upstreamHead) => {
      upstream.removeAllListeners('timeout');
      (upstream as Duplex & { setTimeout?(ms: number): void }).setTimeout?.(0);
      const protocol = response.headers.upgrade ?? '';
      const own = ['Connection', 'Upgrade', 'Upgrade', protocol];
      socket.write(answerTo(response, own), 'latin1');
      if (upstreamHead.length > 0) socket.write(upstreamHead);
      if (head.length > 0) upstream.write(head);
      join(socket, upstream, resolve);
    });
    outgoing.on('response', (response) => {
      // It has declined: an ordinary answer, after which the connection is of no more use.
      socket.write(answerTo(response, ['Connection', 'close']), 'latin1');
      response.pipe(socket);
      response.once('close', resolve);
    });
    outgoing.end();
  });
}

function headOf(response: IncomingMessage, headers: RawHeaders): string {
  const { statusCode = 502, statusMessage = '' } = response;
  const lines = [`HTTP/1.1 ${statusCode} ${statusMessage}`];
  for (let i = 0; i < headers.length; i += 2) lines.push(`${headers[i]}: ${headers[i + 1]}`);
  return `${lines.join('\r\n')}\r\n\r\n`;
}

function join(a: Duplex, b: Duplex, done: () => void): void {
  let open = 2;
  const pairs = [
    [a, b],
    [b, a],
  ] as const;
  for (const [one, other] of pairs) {
    one.pipe(other);
    one.once('error', () => other.destroy());
    one.once('close', () => {
      if (!one.readableEnded) other.destroy();
      open -= 1;
      if (open === 0) done();
    });
  }
}

/** An answer where there is no response object to write it to. */
export function refuseUpgrade(socket: Duplex, { status, message, retryAfter }: ProxyRefusal): void {
  const body = JSON.stringify({ detail: message });
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'Connection: close',
    'Content-Type: application/json',
    SANDBOX.join(': '),
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...(retryAfter === null ? [] : [`Retry-After: ${retryAfter}`]),
  ];
  socket.end(`${lines.join('\r\n')}\r\n\r\n${body}`);
}
