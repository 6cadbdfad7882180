import { connect, type Socket } from 'node:net';
import type { GatewayHost } from '@dstack/contract/agent';
import {
  AgentStreams,
  AgentUnreachable,
  isServerAway,
  type OpenPort,
  openReplica,
  type ReplicaTunnels,
  type ServerLink,
} from '@dstack/proxy';
import { askRelay } from '../tunnel-relay.ts';

/** Time for the server to open a connection to a replica on another host. */
const TUNNEL_MS = 10_000;
/** An agent or a server that is restarted or upgraded is there again by then. */
const RETURN_MS = 15_000;

export interface ReplicaPortsOptions {
  readonly link: Pick<ServerLink, 'ask'>;
  readonly tunnels: Pick<ReplicaTunnels, 'open' | 'isOpen'>;
  /** Milliseconds. */
  readonly now: () => number;
}

/** `socket` null: the connection has ended while it was passed on. `head`: its first bytes, in Base64. */
interface Opened {
  readonly socket: Socket | null;
  readonly head: string;
}

/**
 * Connections to replicas: through the agent of this host for those on it. Others are reached by
 * tunnels of this gateway, or through the server where there is none: their hosts may have no public
 * address.
 */
export class ReplicaPorts {
  readonly #link: Pick<ServerLink, 'ask'>;
  readonly #tunnels: Pick<ReplicaTunnels, 'open' | 'isOpen'>;
  readonly #now: () => number;
  readonly #agents = new Map<string, AgentStreams>();
  readonly #direct: OpenPort;

  /** When the server was lost; null = it is connected. */
  #serverLostAt: number | null;
  /** The same of the agent of this host. */
  #agentLostAt: number | null = null;

  /** Where the next main process listens; null = the one of this worker runs. */
  #linkPath: string | null = null;

  constructor({ link, tunnels, now }: ReplicaPortsOptions) {
    this.#link = link;
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
    return await this.#throughServer(replica);
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

  async #throughServer({ hostId, jobId, port }: Parameters<OpenPort>[0]): Promise<Socket> {
    try {
      const wanted = { hostId, jobId, port };
      const { socket, head } = await this.#link.ask<Opened>('port', wanted, TUNNEL_MS);
      if (socket === null) throw new Error('the connection to its host has ended');
      if (head !== '') socket.unshift(Buffer.from(head, 'base64'));
      return socket;
    } catch (error) {
      throw isServerAway(error) ? new Error(AWAY) : error;
    }
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
    if (isOnline) this.#serverLostAt = null;
    else this.#serverLostAt ??= this.#now();
  }
}

const AWAY = 'its host is reached through the dstack server, which is away';
