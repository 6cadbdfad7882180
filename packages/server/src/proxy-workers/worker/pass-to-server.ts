/** Requests that are not for services: each goes to the server over a connection of its own. */
import {
  type ClientRequest,
  request as httpRequest,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import {
  MAX_HEADERS,
  type RawHeaders,
  refusalBody,
  refuseUpgrade,
  serverAway,
} from '@dstack/proxy';
import { endWith } from '@dstack/ssh/join-connections';
import { closeSoftly, discardRest } from '../../http/intake/connections.ts';
import type { Shutdown } from '../../http/shutdown.ts';

/** The server itself decides whether the connection to the client stays open. */
const OF_CONNECTION: ReadonlySet<string> = new Set(['keep-alive', 'transfer-encoding']);

export class PassToServer {
  readonly #serverSocket: string;
  readonly #shutdown: Shutdown;

  constructor(serverSocket: string, shutdown: Shutdown) {
    this.#serverSocket = serverSocket;
    this.#shutdown = shutdown;
  }

  request(request: IncomingMessage, response: ServerResponse): void {
    this.#shutdown.track(response);
    const upstream = httpRequest({
      method: request.method,
      path: request.url,
      // The server would close the connection to a client that names none.
      headers: [...without('connection', request.rawHeaders), 'Connection', 'keep-alive'],
      setHost: false,
      maxHeaderSize: MAX_HEADERS,
      createConnection: () => this.#connect(request.socket),
    });
    upstream.on('continue', () => response.writeContinue());
    upstream.on('response', (answer) => {
      if (!request.complete) leaveRest(request, upstream, answer);
      passBack(answer, response);
    });
    upstream.on('error', () => {
      if (response.headersSent) response.destroy();
      else refuse(response);
    });
    response.once('close', () => {
      if (!response.writableFinished) upstream.destroy();
    });
    request.once('close', () => {
      if (!request.complete) upstream.destroy();
    });
    upstream.flushHeaders();
    request.pipe(upstream);
  }

  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.#shutdown.track(socket);
    const upstream = this.#connect(request.socket);
    let isConnected = false;
    upstream.once('connect', () => {
      isConnected = true;
      upstream.write(headOf(request), 'latin1');
      if (head.length > 0) upstream.write(head);
      upstream.pipe(socket).pipe(upstream);
      endWith(upstream, socket);
    });
    upstream.on('error', () => {
      if (!isConnected && socket.writable) refuseUpgrade(socket, serverAway());
      else socket.destroy();
    });
    socket.on('error', () => socket.destroy());
    endWith(socket, upstream);
  }

  /** The first line names the client, whose address the server could not know otherwise. */
  #connect({ remoteAddress, remotePort }: Socket): Socket {
    const upstream = connect(this.#serverSocket);
    const client = { kind: 'client', address: remoteAddress ?? '', port: remotePort ?? 0 };
    upstream.write(`${JSON.stringify(client)}\n`);
    return upstream;
  }
}

/**
 * The server has answered within the body. Node's client sends no more once it has the answer, so what the
 * server would read and discard is discarded here.
 */
function leaveRest(
  request: IncomingMessage,
  upstream: ClientRequest,
  answer: IncomingMessage,
): void {
  request.unpipe(upstream);
  answer.once('close', () => upstream.destroy());
  if (answer.headers.connection === 'close') closeSoftly(request.socket);
  else discardRest(request);
}

function passBack(answer: IncomingMessage, response: ServerResponse): void {
  const headers: string[] = [];
  const { rawHeaders } = answer;
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const [name = '', value = ''] = rawHeaders.slice(i, i + 2);
    const key = name.toLowerCase();
    if (OF_CONNECTION.has(key)) continue;
    if (key === 'connection' && value.toLowerCase() !== 'close') continue;
    headers.push(name, value);
  }
  response.sendDate = false;
  response.writeHead(answer.statusCode ?? 502, answer.statusMessage, headers);
  response.flushHeaders();
  answer.on('error', () => response.destroy());
  answer.once('close', () => {
    // The client must see that something is missing.
    if (!answer.complete) response.destroy();
  });
  answer.pipe(response);
}

function refuse(response: ServerResponse): void {
  const refusal = serverAway();
  response.writeHead(refusal.status, {
    'Content-Type': 'application/json',
    'Retry-After': String(refusal.retryAfter),
    Connection: 'close',
  });
  response.end(JSON.stringify(refusalBody(refusal)));
}

function headOf({ method, url, httpVersion, rawHeaders }: IncomingMessage): string {
  const lines = [`${method} ${url} HTTP/${httpVersion}`, ...linesOf(rawHeaders)];
  return `${lines.join('\r\n')}\r\n\r\n`;
}

function without(name: string, raw: RawHeaders): string[] {
  const isKept = (_: string, i: number) => raw[i - (i % 2)]?.toLowerCase() !== name;
  return raw.filter(isKept);
}

function linesOf(raw: RawHeaders): string[] {
  return raw.flatMap((name, i) => (i % 2 === 0 ? `${name}: ${raw[i + 1]}` : []));
}
