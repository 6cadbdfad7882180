import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** The parameters with which the provider redirects the browser back. */
export interface Callback {
  readonly code: string;
  readonly state: string;
  /** Answers the browser. */
  finish(ok: boolean): void;
}

/** A server on loopback that waits for the provider to redirect the browser back. */
export class CallbackServer {
  readonly #server: Server;
  readonly #arrival: Promise<Callback>;

  private constructor(server: Server, arrival: Promise<Callback>) {
    this.#server = server;
    this.#arrival = arrival;
  }

  static async start(): Promise<CallbackServer> {
    const server = createServer();
    const arrival = new Promise<Callback>((resolve) => {
      server.on('request', (request, response) => {
        const url = new URL(request.url ?? '/', 'http://localhost');
        const code = url.searchParams.get('code');
        const state = url.searchParams.get('state');
        response.setHeader('content-type', 'text/html; charset=utf-8');
        response.setHeader('connection', 'close');
        if (url.pathname !== '/auth/callback') {
          response.writeHead(404).end();
        } else if (code === null || state === null) {
          response.writeHead(400).end(page('The log-in did not work', describe(url)));
        } else {
          const finish = (ok: boolean): void => {
            response.writeHead(ok ? 200 : 400);
            response.end(
              ok ? page('You are logged in', CLOSE) : page('CLI authentication failed', RETRY),
            );
          };
          resolve({ code, state, finish });
        }
      });
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, '127.0.0.1', resolve);
    });
    return new CallbackServer(server, arrival);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  arrival(): Promise<Callback> {
    return this.#arrival;
  }

  close(): void {
    this.#server.close();
    this.#server.closeIdleConnections();
  }
}

const CLOSE = 'You can close this page and continue in the terminal.';
const RETRY = 'The terminal shows the reason.';

function describe(url: URL): string {
  return url.searchParams.get('error_description') ?? url.searchParams.get('error') ?? RETRY;
}

function page(title: string, text: string): string {
  const safe = text.replace(/[<>&"]/g, (char) => `&#${char.charCodeAt(0)};`);
  return `<!doctype html><title>dstack</title><h1>${title}</h1><p>${safe}</p>`;
}
