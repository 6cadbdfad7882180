import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { WebSocketServer } from 'ws';

/** Signals between tests and the apps of one service. */
export class AppSignals {
  /** Released by tests to let `/events` continue. */
  next = Promise.withResolvers<void>();
  /** When `/silent` was requested, and when its client had disconnected. */
  unanswered = { arrived: Promise.withResolvers<void>(), left: Promise.withResolvers<void>() };
}

/** The app of a replica: its behaviour depends on the path; every other path returns its name. */
export class ReplicaApp {
  /** Number of requests so far. */
  requests = 0;
  readonly #name: string;
  readonly #signals: AppSignals;
  readonly #server = createServer({ maxHeaderSize: 128 * 1024 });

  private constructor(name: string, signals: AppSignals) {
    this.#name = name;
    this.#signals = signals;
  }

  static async start(name: string, signals: AppSignals): Promise<ReplicaApp> {
    const app = new ReplicaApp(name, signals);
    app.#takeSockets();
    app.#server.on('request', (incoming, response) => {
      app.requests += 1;
      app.#answer(incoming, response).catch(() => {
        // The client has disconnected.
        response.destroy();
      });
    });
    app.#server.listen(0, '127.0.0.1');
    await once(app.#server, 'listening');
    return app;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  /** Sockets send the name of the replica, then everything that they receive. */
  #takeSockets(): void {
    const sockets = new WebSocketServer({ noServer: true });
    sockets.on('headers', (lines, { url }) => {
      if (url === '/ws-cookies') lines.push('Set-Cookie: d=4; Domain=example.com; Path=/');
    });
    this.#server.on('upgrade', (incoming, socket, head) => {
      if (incoming.url === '/no-sockets') {
        socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnope');
        return;
      }
      sockets.handleUpgrade(incoming, socket, head, (client) => {
        const isAsked = incoming.url === '/ws-headers';
        client.send(
          isAsked ? JSON.stringify(incoming.rawHeaders) : `${this.#name} ${incoming.url}`,
        );
        client.on('message', (data, isBinary) => client.send(data, { binary: isBinary }));
      });
    });
  }

  async #answer(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const [path] = (incoming.url ?? '').split('?');
    switch (path) {
      case '/echo':
        return this.#echo(incoming, response);
      case '/upload':
        return countBytes(incoming, response);
      case '/download':
        return void Readable.from(pieces(16)).pipe(response);
      case '/events':
      case '/v1/chat/completions':
        return this.#sendEvents(response);
      case '/late-events':
        response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
        await this.#signals.next.promise;
        return void response.write('data: 0\n\n');
      case '/silent':
        this.#signals.unanswered.arrived.resolve();
        return void response.on('close', () => this.#signals.unanswered.left.resolve());
      case '/refuses':
        return void response.writeHead(413).end('too much');
      case '/trailers':
        response.writeHead(200, { trailer: 'X-Sum' }).write('part');
        response.addTrailers({ 'X-Sum': '4', 'X-Dstack-User': 'root', 'Set-Cookie': 'a=1' });
        return void response.end();
      case '/trailed': {
        const body = await text(incoming);
        const { rawTrailers } = incoming;
        return void response.end(JSON.stringify({ body, rawTrailers, ...incoming.headers }));
      }
      case '/dies':
        response.writeHead(200, { 'content-length': '100' });
        return void response.write('half', () => response.destroy());
      case '/drops':
        return void incoming.socket.destroy();
      case '/own-policy':
        return void response.writeHead(200, OWN_POLICY).end();
      case '/login':
        return void response.writeHead(302, { location: '/echo', server: 'app/1.0' }).end();
      default:
        response.end(`${this.#name} ${incoming.url}`);
    }
  }

  async #echo(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    response.setHeader('set-cookie', ['a=1', 'b=2']);
    response.end(
      JSON.stringify({
        ...{ app: this.#name, method: incoming.method, url: incoming.url },
        headers: incoming.rawHeaders,
        body: await text(incoming),
      }),
    );
  }

  async #sendEvents(response: ServerResponse): Promise<void> {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (let n = 0; !response.destroyed && n < 3; n++) {
      response.write(`data: ${n}\n\n`);
      await this.#signals.next.promise;
    }
    response.end();
  }
}

/** An app with headers that it may not set. */
const OWN_POLICY = {
  'Content-Security-Policy': 'sandbox allow-scripts allow-same-origin',
  'Clear-Site-Data': '"*"',
  'Set-Cookie': ['c=3; Path=/; Domain=localhost', 'dstack_session=x; Path=/'],
};

async function countBytes(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
  let length = 0;
  for await (const chunk of incoming) length += chunk.length;
  response.end(String(length));
}

/** This many MiB, each filled with its number. */
export function* pieces(count: number): Generator<Buffer> {
  for (let i = 0; i < count; i++) yield Buffer.alloc(1024 * 1024, i);
}
