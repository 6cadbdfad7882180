import { once } from 'node:events';
import { createServer, request as httpRequest, type IncomingMessage, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { type Duplex, Transform } from 'node:stream';
import { endWith } from '@dstack/ssh/join-connections';
import { checkLiteral, guardedLookup, isAllowedAddress } from './guarded-connect.ts';
import { OutgoingRefused } from './outgoing-error.ts';
import type { OutgoingRules } from './outgoing-rules.ts';

/** Milliseconds without a byte after which a connection is closed. */
const IDLE_MS = 30_000;

/**
 * An HTTP proxy on loopback for a program that makes its own connections (git). Every connection,
 * also after redirects, must be allowed by the rules, and all together receive a bounded number of bytes.
 */
export class GuardedProxy {
  /** The first refusal; null if there was none. */
  refusal: OutgoingRefused | null = null;
  readonly #rules: OutgoingRules;
  readonly #maxBytes: number;
  readonly #server: Server;
  readonly #sockets = new Set<Duplex>();
  #bytes = 0;

  private constructor(rules: OutgoingRules, maxBytes: number) {
    this.#rules = rules;
    this.#maxBytes = maxBytes;
    this.#server = createServer((incoming, response) => {
      const url = URL.canParse(incoming.url ?? '') ? new URL(incoming.url ?? '') : null;
      if (url?.protocol !== 'http:') return void response.writeHead(400).end();
      const outgoing = httpRequest(url, {
        method: incoming.method ?? 'GET',
        headers: ownHeaders(incoming),
        // An agent would reuse or open connections that were not checked.
        createConnection: () => this.#dial(url.hostname, Number(url.port || 80)),
      });
      outgoing.on('error', () => response.destroy());
      outgoing.on('response', (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer
          .pipe(this.#counted())
          .on('error', () => response.destroy())
          .pipe(response);
      });
      incoming.pipe(outgoing);
    });
    this.#server.on('connect', (incoming, socket, head) => this.#tunnel(incoming, socket, head));
    this.#server.on('connection', (socket) => this.#track(socket));
  }

  static async open(rules: OutgoingRules, maxBytes: number): Promise<GuardedProxy> {
    const proxy = new GuardedProxy(rules, maxBytes);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #tunnel({ url }: IncomingMessage, client: Duplex, head: Buffer): void {
    const [, host = '', port = ''] =
      /^(\[[0-9a-f:.]+\]|[^:[\]]+):(\d{1,5})$/i.exec(url ?? '') ?? [];
    if (host === '') return void client.end('HTTP/1.1 400 Bad Request\r\n\r\n');
    const remote = this.#dial(host, Number(port));
    remote.once('connect', () => {
      client.write('HTTP/1.1 200 Connection Established\r\n\r\n');
      if (head.length > 0) remote.write(head);
      client.pipe(remote);
      remote
        .pipe(this.#counted())
        .on('error', () => client.destroy())
        .pipe(client);
    });
    remote.on('error', () => client.end('HTTP/1.1 502 Bad Gateway\r\n\r\n'));
    endWith(remote, client);
    endWith(client, remote);
  }

  /** Connects; destroys the socket with an `OutgoingRefused` if the address is not allowed. */
  #dial(given: string, port: number): Socket {
    const host = given.replace(/^\[|\]$/g, '');
    const socket = connect({ host, port, lookup: guardedLookup(this.#rules) });
    this.#track(socket);
    socket.setTimeout(IDLE_MS, () => socket.destroy());
    socket.on('error', (error) => {
      if (error instanceof OutgoingRefused) this.refusal ??= error;
    });
    try {
      checkLiteral(this.#rules, host);
      socket.once('connect', () => {
        if (!isAllowedAddress(this.#rules, host, socket)) socket.destroy(refused(host));
      });
    } catch (error) {
      socket.destroy(error as Error);
    }
    return socket;
  }

  #counted(): Transform {
    return new Transform({
      transform: (chunk: Buffer, _encoding, done) => {
        this.#bytes += chunk.length;
        if (this.#bytes <= this.#maxBytes) return done(null, chunk);
        this.refusal ??= new OutgoingRefused({ rule: 'size', bytes: this.#maxBytes });
        done(this.refusal);
      },
    });
  }

  #track(socket: Duplex): void {
    this.#sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => this.#sockets.delete(socket));
  }
}

const refused = (host: string) => new OutgoingRefused({ rule: 'address', host });

function ownHeaders({ headers }: IncomingMessage): Record<string, string | string[]> {
  const kept = Object.entries(headers).filter(
    ([name, value]) => value !== undefined && !/^(proxy-.*|connection)$/.test(name),
  );
  return Object.fromEntries(kept) as Record<string, string | string[]>;
}
