import { randomUUID } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import type { GatewayHost } from '@dstack/contract/agent';
import {
  AgentStreams,
  AgentUnreachable,
  type OpenPort,
  openReplica,
  type ReplicaTunnels,
} from '@dstack/proxy';
import { askRelay } from '../tunnel-relay.ts';
import type { FromWorker } from './messages.ts';

/** Time for the server to open a connection to a replica on another host. */
const TUNNEL_MS = 10_000;
/** An agent or a server that is restarted or upgraded is there again by then. */
const RETURN_MS = 15_000;

export interface ReplicaPortsOptions {
  readonly send: (message: FromWorker) => void;
  readonly tunnels: Pick<ReplicaTunnels, 'open' | 'isOpen'>;
  /** Milliseconds. */
  readonly now: () => number;
}

interface Waiting {
  readonly done: (socket: Socket) => void;
  readonly fail: (error: Error) => void;
}

/**
 * Connections to replicas: through the agent of this host for those on it. Others are reached by
 * tunnels of this gateway, or through the server where there is none: their hosts may have no public
 * address.
 */
export class ReplicaPorts {
  readonly #send: (message: FromWorker) => void;
  readonly #tunnels: Pick<ReplicaTunnels, 'open' | 'isOpen'>;
  readonly #now: () => number;
  readonly #agents = new Map<string, AgentStreams>();
  readonly #waiting = new Map<string, Waiting>();
  readonly #direct: OpenPort;

  /** When the server was lost; null = it is connected. */
  #serverLostAt: number | null;
  /** The same of the agent of this host. */
  #agentLostAt: number | null = null;

  /** Where the next main process listens; null = the one of this worker runs. */
  #linkPath: string | null = null;

  constructor({ send, tunnels, now }: ReplicaPortsOptions) {
    this.#send = send;
    this.#tunnels = tunnels;
    this.#now = now;
    this.#serverLostAt = now();
    this.#direct = openReplica({
      client: (hostId) => this.#agents.get(hostId) ?? null,
      isHere: () => true,
    });
  }

  setHosts(hosts: Readonly<Record<string, GatewayHost>>): void {
    this.#agents.clear();
    for (const [hostId, { socket, token }] of Object.entries(hosts)) {
      this.#agents.set(hostId, new AgentStreams({ dial: () => connect(socket), token }));
    }
  }

  readonly open: OpenPort = async (replica) => {
    if (this.#agents.has(replica.hostId)) return await this.#openHere(replica);
    const own = this.#tunnels.open(replica.jobId, replica.port);
    try {
      if (own !== null) return await own;
    } catch (error) {
      // The replica itself has refused; the server would get the same answer.
      if (this.#tunnels.isOpen(replica.jobId)) throw error;
    }
    if (this.#linkPath !== null) return await this.#relayed(this.#linkPath, replica);
    if (this.#serverLostAt !== null) throw new Error(AWAY);
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

  readonly #openHere: OpenPort = async (replica) => {
    try {
      const stream = await this.#direct(replica);
      this.#agentLostAt = null;
      return stream;
    } catch (error) {
      if (error instanceof AgentUnreachable) this.#agentLostAt ??= this.#now();
      else this.#agentLostAt = null;
      throw error;
    }
  };

  /** The main process has ended: connections pass through the next one, which has this socket. */
  leave(linkPath: string): void {
    this.#linkPath = linkPath;
    this.setOnline(false);
  }

  async #relayed(path: string, { hostId, jobId, port }: Parameters<OpenPort>[0]): Promise<Socket> {
    try {
      const wanted = { host_id: hostId, job_id: jobId, port };
      const socket = await askRelay(path, wanted, { limitMs: TUNNEL_MS, lost: AWAY });
      this.#serverLostAt = null;
      return socket;
    } catch (error) {
      this.#serverLostAt ??= this.#now();
      throw error;
    }
  }

  /** Until when a lost server or agent is expected to return; see `ServiceProxyOptions`. */
  get returnsUntil(): number {
    const lost = [this.#serverLostAt, this.#agentLostAt].filter((at) => at !== null);
    return Math.max(0, ...lost) + RETURN_MS;
  }

  setOnline(isOnline: boolean): void {
    if (isOnline) {
      this.#serverLostAt = null;
      return;
    }
    this.#serverLostAt ??= this.#now();
    // Nothing will open those that wait.
    for (const { fail } of this.#waiting.values()) fail(new Error(AWAY));
  }

  /**
   * The server has opened the connection. `head`: its first bytes, in Base64. Without a socket it has ended
   * while it was passed on.
   */
  opened(id: string, socket: Socket | undefined, head: string): void {
    if (socket === undefined) {
      this.failed(id, 'the connection to its host has ended');
      return;
    }
    const waiting = this.#waiting.get(id);
    if (head !== '') socket.unshift(Buffer.from(head, 'base64'));
    if (waiting) waiting.done(socket);
    else socket.destroy();
  }

  failed(id: string, error: string): void {
    this.#waiting.get(id)?.fail(new Error(error));
  }
}

const AWAY = 'its host is reached through the dstack server, which is away';
