import type { IncomingMessage } from 'node:http';
import { WebSocket } from 'ws';
import type { OpenWebSocket, SocketFailure, WebSocketLike } from './web-socket.ts';

/** Longer answers of a refused connection are cut. */
const MAX_ANSWER = 64 * 1024;

/**
 * WebSockets that report why they were refused, can be paused, and reach servers on unix sockets;
 * Node's own can do none of these.
 */
export const nodeWebSocket: OpenWebSocket = (url, protocols, headers) =>
  new NodeSocket(url, protocols, headers);

class NodeSocket implements WebSocketLike {
  failure: SocketFailure | null = null;
  readonly #socket: WebSocket;

  constructor(url: string, protocols: readonly string[], headers: Record<string, string>) {
    const socket = new WebSocket(addressOf(url), [...protocols], {
      headers,
      handshakeTimeout: 60_000,
    });
    this.#socket = socket;
    socket.on('error', (cause) => {
      this.failure ??= { kind: 'error', cause };
    });
    socket.on('unexpected-response', (_request, response) => {
      void readBody(response).then((body) => {
        this.failure = { kind: 'answer', status: response.statusCode ?? 0, body };
        socket.terminate();
      });
    });
  }

  get binaryType(): string {
    return this.#socket.binaryType;
  }

  set binaryType(type: string) {
    this.#socket.binaryType = type as 'arraybuffer';
  }

  get bufferedAmount(): number {
    return this.#socket.bufferedAmount;
  }

  send(data: string | Uint8Array): void {
    this.#socket.send(data);
  }

  close(code?: number): void {
    this.#socket.close(code);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  addEventListener(type: string, listener: (event: never) => void): void {
    this.#socket.addEventListener(type as 'message', listener as () => void);
  }
}

/** `ws+unix://<percent-encoded path of a socket>/path` in the form of the library. */
function addressOf(url: string): string {
  const [, socket, path] = /^ws\+unix:\/\/([^/]+)(\/.*)$/.exec(url) ?? [];
  return socket === undefined ? url : `ws+unix:${decodeURIComponent(socket)}:${path}`;
}

async function readBody(response: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      length += chunk.length;
      if (length > MAX_ANSWER) break;
    }
    const text = Buffer.concat(chunks).toString();
    const isJson = (response.headers['content-type'] ?? '').includes('json');
    return isJson ? JSON.parse(text) : text;
  } catch {
    // The status alone has to explain the refusal.
    return null;
  }
}
