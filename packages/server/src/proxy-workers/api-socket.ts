/** The unix socket by which workers pass requests to the server. */
import { rmSync } from 'node:fs';
import type { Server as HttpServer } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import { errorMessage } from '@dstack/contract/error-message';
import { joinConnections } from '@dstack/ssh/join-connections';
import type { AgentClient } from '../hosts/agent-client.ts';
import { makeSocketFolder, removeEmptySocketFolder } from '../hosts/socket-folder.ts';
import { readLine } from './read-line.ts';

export interface ApiSocketOptions {
  readonly path: string;
  readonly http: HttpServer;
  readonly client: (hostId: string) => Pick<AgentClient, 'openPort'> | null;
}

type First =
  | { readonly kind: 'client'; readonly address: string; readonly port: number }
  | {
      readonly kind: 'port';
      readonly hostId: string;
      readonly jobId: string;
      readonly port: number;
    };

export class ApiSocket {
  readonly #options: ApiSocketOptions;
  readonly #server: Server;
  readonly #passed = new WeakSet<Socket>();

  constructor(options: ApiSocketOptions) {
    this.#options = options;
    this.#server = createServer((socket) => {
      socket.on('error', () => socket.destroy());
      void this.#take(socket).catch(() => socket.destroy());
    });
  }

  async listen(): Promise<void> {
    const { path } = this.#options;
    makeSocketFolder(path);
    rmSync(path, { force: true });
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(path, resolve);
    });
  }

  /** Whether a worker has passed on this connection. */
  isPassed(socket: Socket): boolean {
    return this.#passed.has(socket);
  }

  close(): void {
    // Removes the socket at once, and waits for its connections.
    this.#server.close();
    removeEmptySocketFolder(this.#options.path);
  }

  async #take(socket: Socket): Promise<void> {
    const first = JSON.parse(await readLine(socket)) as First;
    if (first.kind === 'port') return await this.#openPort(socket, first);
    this.#passed.add(socket);
    // The client's, not those of the worker.
    Object.defineProperty(socket, 'remoteAddress', { value: first.address });
    Object.defineProperty(socket, 'remotePort', { value: first.port });
    this.#options.http.emit('connection', socket);
  }

  async #openPort(socket: Socket, { hostId, jobId, port }: First & { kind: 'port' }) {
    const answer = (error: unknown) => socket.write(`${JSON.stringify({ error })}\n`);
    try {
      const client = this.#options.client(hostId);
      if (!client) throw new Error(`no link to host ${hostId}`);
      const { stream } = await client.openPort(jobId, port);
      answer(null);
      joinConnections(stream, socket);
    } catch (error) {
      const { code = 'error' } = error as { readonly code?: string };
      answer({ code, message: errorMessage(error) });
      socket.end();
    }
  }
}
