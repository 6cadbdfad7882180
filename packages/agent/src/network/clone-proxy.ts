/** The HTTP proxy of a git that clones for a job: no connection leads to an address of the host. */
import { once } from 'node:events';
import { createServer, request as httpRequest, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { endWith } from '@dstack/ssh/join-connections';
import { guardedDial, HostAddressRefused } from './guarded-dial.ts';

/** Milliseconds until a silent connection is closed. Git is silent while the other side counts a large repository. */
const IDLE_MS = 600_000;

export class CloneProxy {
  /** The first refusal; null if there was none. */
  refusal: HostAddressRefused | null = null;
  readonly #server: Server;
  readonly #sockets = new Set<Duplex>();

  private constructor() {
    this.#server = createServer((incoming, response) => {
      const url = URL.parse(incoming.url ?? '');
      if (url?.protocol !== 'http:') return void response.writeHead(400).end();
      const outgoing = httpRequest(url, {
        method: incoming.method ?? 'GET',
        headers: forwarded(incoming),
        // A shared agent would reuse connections that were not checked.
        createConnection: () => this.#dial(url.hostname, Number(url.port || 80)),
      });
      outgoing.on('error', () => response.destroy());
      outgoing.on('response', (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.on('error', () => response.destroy()).pipe(response);
      });
      incoming.on('error', () => outgoing.destroy()).pipe(outgoing);
    });
    this.#server.on('connect', ({ url }: IncomingMessage, client: Duplex, head: Buffer) =>
      this.#tunnel(url ?? '', client, head),
    );
    this.#server.on('connection', (socket) => this.#track(socket));
  }

  static async open(): Promise<CloneProxy> {
    const proxy = new CloneProxy();
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #tunnel(target: string, client: Duplex, head: Buffer): void {
    const [, host = '', port = ''] = /^(\[[0-9a-f:.]+\]|[^:[\]]+):(\d{1,5})$/i.exec(target) ?? [];
    if (host === '') return void client.end('HTTP/1.1 400 Bad Request\r\n\r\n');
    const remote = this.#dial(host, Number(port));
    remote.once('connect', () => {
      if (remote.destroyed) return;
      client.write('HTTP/1.1 200 Connection Established\r\n\r\n');
      if (head.length > 0) remote.write(head);
      client.pipe(remote).pipe(client);
    });
    remote.once('error', () => client.end('HTTP/1.1 502 Bad Gateway\r\n\r\n'));
    endWith(remote, client);
    endWith(client, remote);
  }

  #dial(host: string, port: number): Socket {
    const socket = guardedDial(host, port);
    this.#track(socket);
    socket.setTimeout(IDLE_MS, () => socket.destroy());
    socket.on('error', (error) => {
      if (error instanceof HostAddressRefused) this.refusal ??= error;
    });
    return socket;
  }

  #track(socket: Duplex): void {
    this.#sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => this.#sockets.delete(socket));
  }
}

function forwarded({ headers }: IncomingMessage): Record<string, string | string[]> {
  const kept = Object.entries(headers).filter(([name]) => !/^(proxy-.*|connection)$/.test(name));
  return Object.fromEntries(kept) as Record<string, string | string[]>;
}
