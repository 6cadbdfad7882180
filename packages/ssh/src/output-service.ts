import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import type { JobOutput } from './job-output.ts';
import { sendOutput } from './output-socket.ts';

/** The port that clients forward to get a job's output. Nothing listens on it. */
const OUTPUT_SERVICE_PORT = 10_999;
const LOOPBACK = new Set(['localhost', '127.0.0.1', '::1']);

/** Whether the target of a forwarded connection is the output of the job. */
export const isOutputService = (host: string, port: number): boolean =>
  port === OUTPUT_SERVICE_PORT && LOOPBACK.has(host);

/** Longest message of a client in bytes; messages are discarded. */
const MAX_PAYLOAD = 1024;

/** An HTTP server without its own socket: it serves the channels of forwarded connections. */
export class OutputService {
  readonly #output: JobOutput;
  readonly #http: Server;
  readonly #sockets: WebSocketServer;

  constructor(output: JobOutput) {
    this.#output = output;
    this.#http = createServer((_, response) => {
      response.writeHead(404, { 'content-type': 'text/plain', connection: 'close' });
      response.end('Output is served as a WebSocket at /logs_ws\n');
    });
    this.#sockets = new WebSocketServer({
      noServer: true,
      perMessageDeflate: false,
      maxPayload: MAX_PAYLOAD,
    });
    this.#http.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
  }

  serve(channel: Duplex): void {
    this.#http.emit('connection', asSocket(channel));
  }

  close(): void {
    for (const socket of this.#sockets.clients) socket.terminate();
    this.#sockets.close();
    this.#http.close();
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    // A path may not be a URL, such as `//`.
    const url = URL.parse(`http://localhost${request.url ?? ''}`);
    if (url?.pathname !== '/logs_ws') {
      socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
      return;
    }
    this.#sockets.handleUpgrade(request, socket, head, (client: WebSocket) => {
      // The close after an error ends the sending.
      client.on('error', () => {});
      // Messages of clients are ignored.
      client.resume();
      void sendOutput(client, this.#output, url.searchParams.get('start_time'));
    });
  }
}

/** Methods of a TCP socket that Node's HTTP server and `ws` call and an SSH channel lacks. */
function asSocket(channel: Duplex): Duplex {
  const itself = () => channel;
  return Object.assign(channel, {
    setTimeout: itself,
    setNoDelay: itself,
    setKeepAlive: itself,
    ref: itself,
    unref: itself,
  });
}
