import { randomUUID } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import type { GatewayHost } from '@dstack/contract/agent';
import { AgentClient, type OpenPort, openReplica } from '@dstack/server/proxy';
import type { FromWorker } from './messages.ts';

/** Time for the server to open a connection to a replica on another host. */
const TUNNEL_MS = 10_000;

interface Waiting {
  readonly done: (socket: Socket) => void;
  readonly fail: (error: Error) => void;
}

/**
 * Connections to replicas: through the agent of this host for those on it, and through the server for
 * all others, which may have no public address.
 */
export class ReplicaPorts {
  readonly #send: (message: FromWorker) => void;
  readonly #agents = new Map<string, AgentClient>();
  readonly #waiting = new Map<string, Waiting>();
  readonly #direct: OpenPort;

  constructor(send: (message: FromWorker) => void) {
    this.#send = send;
    this.#direct = openReplica({
      client: (hostId) => this.#agents.get(hostId) ?? null,
      isHere: () => true,
    });
  }

  setHosts(hosts: Readonly<Record<string, GatewayHost>>): void {
    for (const client of this.#agents.values()) client.close();
    this.#agents.clear();
    for (const [hostId, { socket, token }] of Object.entries(hosts)) {
      this.#agents.set(hostId, new AgentClient({ dial: () => connect(socket), token }));
    }
  }

  readonly open: OpenPort = async (replica) => {
    if (this.#agents.has(replica.hostId)) return await this.#direct(replica);
    const id = randomUUID();
    const { hostId: host_id, jobId: job_id, port } = replica;
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise<Socket>((done, fail) => {
        this.#waiting.set(id, { done, fail });
        const text = 'the server, through which its host is reached, has not answered';
        timer = setTimeout(() => fail(new Error(text)), TUNNEL_MS);
        this.#send({ type: 'tunnel', id, host_id, job_id, port });
      });
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(id);
    }
  };

  /** The server has opened the connection. */
  opened(id: string, socket: Socket): void {
    const waiting = this.#waiting.get(id);
    if (waiting) waiting.done(socket);
    else socket.destroy();
  }

  failed(id: string, error: string): void {
    this.#waiting.get(id)?.fail(new Error(error));
  }

  /** The server cannot be reached: nothing will open those that wait. */
  failAll(): void {
    for (const { fail } of this.#waiting.values()) fail(new Error('the server cannot be reached'));
  }
}
