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
  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(): Promise<CallbackServer> {
    const server = createServer();
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, '127.0.0.1', resolve);
    });
    return new CallbackServer(server);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** The first redirect with this state (null: with any). Another page of this computer cannot end the wait with a sign-in of its own. */
  arrival(expected: string | null): Promise<Callback> {
    return new Promise<Callback>((resolve) => {
      this.#server.on('request', (request, response) => {
        const url = new URL(request.url ?? '/', 'http://localhost');
        const code = url.searchParams.get('code');
        const state = url.searchParams.get('state');
        response.setHeader('content-type', 'text/html; charset=utf-8');
        response.setHeader('connection', 'close');
        if (url.pathname !== '/auth/callback') {
          response.writeHead(404).end();
        } else if (code === null || state === null) {
          response.writeHead(400).end(page('The log-in did not work', describe(url)));
        } else if (expected !== null && state !== expected) {
          response.writeHead(400).end(page('The log-in did not work', OTHER));
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
  }

  close(): void {
    this.#server.close();
    this.#server.closeIdleConnections();
  }
}

const CLOSE = 'You can close this page and continue in the terminal.';
const OTHER = 'It was not begun by the command that waits here. Begin again in the terminal.';
const RETRY = 'The terminal shows the reason.';

function describe(url: URL): string {
  return url.searchParams.get('error_description') ?? url.searchParams.get('error') ?? RETRY;
}

function page(title: string, text: string): string {
  const safe = text.replace(/[<>&"]/g, (char) => `&#${char.charCodeAt(0)};`);
  return `<!doctype html><title>dstack</title><h1>${title}</h1><p>${safe}</p>`;
}
