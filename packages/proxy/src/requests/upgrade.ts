/** Requests for another protocol (WebSocket): the connections are joined once the app accepts. */
import { request as httpRequest, type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { type ResponseContext, responseHeaders, SANDBOX } from '../head/headers.ts';
import { MAX_HEADERS, type RawHeaders } from '../head/raw-headers.ts';
import { type ProxyRefusal, refusalBody } from '../refusals/refusal.ts';
import { NoAnswerInTime } from '../replicas/upstream-failure.ts';
import type { Sent } from './delivery.ts';
import { type JoinedSocket, joinSockets } from './web-socket.ts';

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

export interface Upgraded {
  readonly joined: JoinedSocket;
  /** The status of the app's answer; 101 = the app has accepted. */
  readonly status: number;
}

/** Node accepts any three digits from an app. The server refuses all figures of a gateway with a status below this. */
const LOWEST_STATUS = 100;

/**
 * Whether a request opens a WebSocket. Any other protocol may be ignored, and so may this one if the request has a body:
 * it is answered as an ordinary one, of which the app gets the body too.
 */
export function opensWebSocket({ headers }: Pick<IncomingMessage, 'headers'>): boolean {
  const { upgrade, 'content-length': length = '0', 'transfer-encoding': coding } = headers;
  return upgrade?.toLowerCase() === 'websocket' && Number(length) === 0 && coding === undefined;
}

/** Never rejects. With `failed` no byte was sent to the client. */
export async function askUpgrade(
  open: () => Promise<Duplex>,
  upgrade: Upgrade,
): Promise<Sent<Upgraded>> {
  let connection: Duplex;
  try {
    connection = await open();
  } catch (error) {
    return { kind: 'failed', error: error as Error, unsent: true };
  }
  // The client may have disconnected in the meantime.
  if (upgrade.socket.destroyed) connection.destroy();
  try {
    return { kind: 'done', value: await ask(connection, upgrade) };
  } catch (error) {
    return { kind: 'failed', error: error as Error, unsent: false };
  }
}

/** Rejects if the app does not answer. */
function ask(connection: Duplex, upgrade: Upgrade): Promise<Upgraded> {
  const { request, socket, head, path, headers, answer, timeoutMs } = upgrade;
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest({
      method: request.method,
      path,
      maxHeaderSize: MAX_HEADERS,
      headers: [...headers, 'Connection', 'Upgrade', 'Upgrade', request.headers.upgrade ?? ''],
      createConnection: () => connection as never,
    });
    // Node ignores the option `timeout` for connections that it did not open itself.
    const silence = setTimeout(() => outgoing.destroy(new NoAnswerInTime()), timeoutMs);
    const abort = () => outgoing.destroy();
    const settle = () => {
      clearTimeout(silence);
      socket.off('close', abort);
    };
    outgoing.on('error', (error) => {
      settle();
      reject(error);
    });
    socket.once('close', abort);
    outgoing.on('upgrade', (response, upstream, upstreamHead) => {
      settle();
      const protocol = response.headers.upgrade ?? '';
      writeHead(socket, response, answer, ['Connection', 'Upgrade', 'Upgrade', protocol]);
      const app = { stream: upstream, head: upstreamHead };
      resolve({ joined: joinSockets({ stream: socket, head }, app), status: 101 });
    });
    outgoing.on('response', (response) => {
      const { statusCode = 0 } = response;
      if (statusCode < LOWEST_STATUS) {
        outgoing.destroy(new Error(`the app has answered with the status ${statusCode}`));
        return;
      }
      writeHead(socket, response, answer, ['Connection', 'close']);
      response.on('data', () => silence.refresh()).once('close', settle);
      resolve({ joined: declined(response, socket), status: statusCode });
    });
    outgoing.end();
  });
}

/** The app has sent an ordinary response; the connection closes after it. */
function declined(response: IncomingMessage, socket: Duplex): JoinedSocket {
  const destroy = () => socket.destroy();
  const over = new Promise<void>((resolve) => {
    response.once('close', () => {
      // The client must see that something is missing.
      if (!response.complete) destroy();
      resolve();
    });
  });
  response.pipe(socket);
  return { over, end: destroy, destroy };
}

function writeHead(
  socket: Duplex,
  response: IncomingMessage,
  answer: ResponseContext,
  own: RawHeaders,
): void {
  const headers = [...responseHeaders(response.rawHeaders, answer), ...own];
  const { statusCode = 502, statusMessage = '' } = response;
  const lines = [`HTTP/1.1 ${statusCode} ${statusMessage}`];
  for (let i = 0; i < headers.length; i += 2) lines.push(`${headers[i]}: ${headers[i + 1]}`);
  socket.write(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
}

/** An answer without a response object to write it to. */
export function refuseUpgrade(socket: Duplex, refusal: ProxyRefusal): void {
  const { status, retryAfter } = refusal;
  const body = JSON.stringify(refusalBody(refusal));
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
