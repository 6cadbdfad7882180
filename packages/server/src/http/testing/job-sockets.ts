import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { expect, vi } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { AgentRefusal } from '../../hosts/agent-client.ts';
import { type JobSocketDeps, jobSocketRoutes } from '../exec/job-sockets.ts';
import { insertInstances, serveAt, submitService } from './services.ts';
import { startTestServer, type TestServer } from './test-server.ts';

export const EXEC = '/api/project/main/runs/app/exec';
export const PORT = '/api/project/main/runs/app/port?port=8000';
export const LIMITS = {
  ...{ perUser: 3, total: 5 },
  ...{ idleMs: { exec: 60_000, port: 60_000 }, checkMs: 30_000 },
};

export type AgentClient = ReturnType<JobSocketDeps['client']>;

/** A server with a running service `app`, and what stands for the agent of its host. */
export class SocketWorld {
  readonly server: TestServer;
  /** Host and port. */
  readonly address: string;
  /** The agent; null: there is no link to the host. */
  client: AgentClient;
  /** The agent's ends of commands. */
  readonly commands: WebSocket[] = [];
  /** A port of the job that repeats what it receives. */
  readonly echo: Server;
  readonly #agent: WebSocketServer;
  readonly #sockets: WebSocket[] = [];

  private constructor(server: TestServer, agent: WebSocketServer, echo: Server) {
    this.server = server;
    this.echo = echo;
    this.#agent = agent;
    this.address = `127.0.0.1:${portOf(server.app.server)}`;
    agent.on('connection', (socket) => this.commands.push(socket));
    this.client = {
      openExec: async () => {
        const socket = new WebSocket(`ws://127.0.0.1:${portOf(agent)}`);
        await once(socket, 'open');
        return socket;
      },
      openPort: async (_id, port) => {
        if (port === 1) throw new AgentRefusal(502, 'port_refused', 'Nothing answers at port 1');
        const stream = connect(portOf(echo), '127.0.0.1');
        await once(stream, 'connect');
        return { stream, ownAddress: null };
      },
    };
  }

  static async start(limits = LIMITS): Promise<SocketWorld> {
    const server = await startTestServer();
    const agent = new WebSocketServer({ port: 0, host: '127.0.0.1', maxPayload: 1024 * 1024 });
    const echo = createServer((socket) => socket.on('error', () => {}).pipe(socket));
    echo.listen(0, '127.0.0.1');
    await Promise.all([once(agent, 'listening'), once(echo, 'listening')]);
    const client = () => world.client;
    jobSocketRoutes(server.app, { ...server.deps, client, limits });
    await server.app.listen({ host: '127.0.0.1', port: 0 });
    const world = new SocketWorld(server, agent, echo);
    const { id } = await submitService(server, 'app');
    await serveAt(server, id, [8000], await insertInstances(server, 1));
    return world;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.terminate();
    for (const socket of this.#agent.clients) socket.terminate();
    this.#agent.close();
    this.echo.close();
    await this.server.close();
  }

  connect(path: string, headers: Record<string, string>, protocols: string[] = []): SocketClient {
    const socket = new WebSocket(`ws://${this.address}${path}`, protocols, { headers });
    this.#sockets.push(socket);
    return new SocketClient(socket);
  }

  bearer(token = this.server.token): Record<string, string> {
    return { authorization: `Bearer ${token}` };
  }

  open(path = EXEC, token = this.server.token): SocketClient {
    return this.connect(path, this.bearer(token));
  }

  async api(path: string, body: unknown) {
    const answer = await this.server.call(path, body);
    if (answer.status !== 200) throw new Error(answer.text);
    return answer.body;
  }

  /** The token of a new user; null: no member. */
  async user(username: string, project_role: string | null): Promise<string> {
    await this.api('/api/users/create', { username, global_role: 'user' });
    const members = [{ username, project_role }];
    if (project_role !== null) await this.api('/api/projects/main/add_members', { members });
    return (await this.api('/api/users/get_user', { username })).creds.token;
  }

  /** The token of a program. */
  async program(scope: string): Promise<string> {
    const path = '/api/project/main/service_tokens/create';
    return (await this.api(path, { name: scope, scope })).token;
  }

  /** The agent's end of the next command. */
  async agentSide(count = 1): Promise<WebSocket> {
    await vi.waitFor(() => expect(this.commands).toHaveLength(count), { interval: 5 });
    return this.commands[count - 1] as WebSocket;
  }
}

const portOf = (one: { address(): unknown }) => (one.address() as AddressInfo).port;

/** A client of a command or a port, with everything that it has received. */
export class SocketClient {
  readonly socket: WebSocket;
  readonly texts: { readonly type: string; readonly code?: string; readonly message?: string }[] =
    [];
  readonly bytes: Buffer[] = [];
  /** 101, or the status of the refusal. */
  readonly opened: Promise<number>;
  readonly closed: Promise<number>;

  constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on('error', () => {});
    socket.on('message', (data: Buffer, isBinary) => {
      if (isBinary) this.bytes.push(data);
      else this.texts.push(JSON.parse(String(data)));
    });
    this.closed = new Promise((resolve) => socket.once('close', resolve));
    this.opened = new Promise((resolve) => {
      socket.once('open', () => resolve(101));
      socket.once('unexpected-response', (_, response) => resolve(response.statusCode ?? 0));
    });
  }

  send(message: object): void {
    this.socket.send(JSON.stringify(message));
  }

  get received(): Buffer {
    return Buffer.concat(this.bytes);
  }
}
