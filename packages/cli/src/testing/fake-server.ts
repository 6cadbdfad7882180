import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { onTestFinished } from 'vitest';

/** A request as it arrived; `body` is parsed JSON, or the raw bytes of anything else. */
export interface ReceivedRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  readonly body: unknown;
}

export type Answer =
  | { readonly status?: number; readonly json: unknown }
  | { readonly status?: number; readonly text: string; readonly type?: string }
  /** Server-sent events, written one after the other; then the stream stays open or ends. */
  | { readonly events: readonly string[]; readonly open?: boolean };

export type Route = Answer | ((request: ReceivedRequest) => Answer | Promise<Answer>);

/** A `FakeServer` that listens until the calling test has ended. */
export async function startFakeServer(
  routes: Readonly<Record<string, Route>>,
): Promise<FakeServer> {
  const server = await new FakeServer(routes).start();
  onTestFinished(() => server.stop());
  return server;
}

/**
 * A real HTTP server with canned answers by `METHOD /path`. Paths without an answer return 404,
 * like an unsupported path of a server.
 */
export class FakeServer {
  readonly requests: ReceivedRequest[] = [];
  /** The time in its answers, in ms since the epoch; null: they have none. */
  now: number | null = null;
  readonly #routes: Map<string, Route>;
  readonly #server: Server;
  readonly #open = new Set<ServerResponse>();

  constructor(routes: Readonly<Record<string, Route>>) {
    this.#routes = new Map(Object.entries(routes));
    this.#server = createServer((request, response) => void this.#handle(request, response));
  }

  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return this;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Requests for WebSockets. */
  onUpgrade(handle: (request: IncomingMessage, socket: Duplex, head: Buffer) => void): void {
    this.#server.on('upgrade', handle);
  }

  set(route: string, answer: Route): void {
    this.#routes.set(route, answer);
  }

  /** Paths called, in order. */
  get calls(): string[] {
    return this.requests.map((r) => `${r.method} ${r.path}`);
  }

  bodyOf(path: string): unknown {
    return this.requests.find((r) => r.path === path)?.body;
  }

  async stop(): Promise<void> {
    for (const response of this.#open) response.destroy();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.sendDate = false;
    if (this.now !== null) response.setHeader('date', new Date(this.now).toUTCString());
    const url = new URL(request.url ?? '/', 'http://test');
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const raw = Buffer.concat(chunks);
    const isJson = (request.headers['content-type'] ?? '').includes('json');
    const received: ReceivedRequest = {
      method: request.method ?? '',
      path: url.pathname,
      query: url.searchParams,
      headers: request.headers,
      body: isJson ? JSON.parse(raw.toString()) : raw.byteLength > 0 ? raw : null,
    };
    this.requests.push(received);
    const route = this.#routes.get(`${received.method} ${received.path}`);
    const missing: Answer = { status: 404, json: { detail: { msg: 'Not found', code: null } } };
    const answer = typeof route === 'function' ? await route(received) : (route ?? missing);
    this.#write(answer, response);
  }

  #write(answer: Answer, response: ServerResponse): void {
    if ('events' in answer) {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      for (const event of answer.events) response.write(event);
      if (!answer.open) response.end();
      else this.#open.add(response);
      return;
    }
    const [type, text] =
      'json' in answer
        ? ['application/json', JSON.stringify(answer.json)]
        : [answer.type ?? 'text/plain', answer.text];
    response.writeHead(answer.status ?? 200, { 'content-type': type });
    response.end(text);
  }
}

/** The API's error answer. */
export function wireError(code: string, msg: string, status = 400): Answer {
  return { status, json: { detail: [{ msg, code }] } };
}

/** A server-sent event with an object as its data. */
export function runEvent(run: unknown): string {
  return `event: run\ndata: ${JSON.stringify(run)}\n\n`;
}

/** A piece of a job's output, and the end of it. */
export function logEvent(text: string, end: number): string {
  return `id: ${end}\ndata: ${Buffer.from(text).toString('base64')}\n\n`;
}

export const LOG_END = 'event: end\ndata: {}\n\n';
