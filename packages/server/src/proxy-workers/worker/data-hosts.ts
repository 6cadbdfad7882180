/** A worker's own connections to the agents of hosts, which do not end with the server. */
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { AgentRefusal, AgentStreams, type PortConnection } from '@dstack/proxy';
import { JumpHosts, SshReach } from '@dstack/ssh';
import { AGENT_SOCKET } from '../../hosts/ssh/layout.ts';
import type { PushedHost } from '../protocol.ts';
import { readLine } from '../read-line.ts';

type Ports = Pick<AgentStreams, 'openPort'>;

interface Known {
  readonly text: string;
  readonly ports: Ports;
  readonly close: () => void;
}

/** Streams through a connection that is no longer needed may still be open this long (ms). */
const RETIRED_MS = 600_000;

export class DataHosts {
  readonly #hosts = new Map<string, Known>();
  readonly #jumps = new JumpHosts();
  /** Unix socket of the server, for hosts that only the server reaches. */
  readonly #serverSocket: string;

  constructor(serverSocket: string) {
    this.#serverSocket = serverSocket;
  }

  put(hosts: Readonly<Record<string, PushedHost>>): void {
    for (const [hostId, host] of Object.entries(hosts)) {
      const text = JSON.stringify(host);
      if (this.#hosts.get(hostId)?.text === text) continue;
      this.#retire(hostId);
      this.#hosts.set(hostId, { text, ...this.#open(hostId, host) });
    }
  }

  /** Keeps connections to these hosts only. */
  keepOnly(hostIds: ReadonlySet<string>): void {
    for (const hostId of this.#hosts.keys()) if (!hostIds.has(hostId)) this.#retire(hostId);
  }

  client(hostId: string): Ports | null {
    return this.#hosts.get(hostId)?.ports ?? null;
  }

  close(): void {
    for (const { close } of this.#hosts.values()) close();
  }

  #retire(hostId: string): void {
    const known = this.#hosts.get(hostId);
    this.#hosts.delete(hostId);
    if (known) setTimeout(known.close, RETIRED_MS).unref();
  }

  #open(hostId: string, host: PushedHost): Omit<Known, 'text'> {
    if (host.kind === 'server') {
      const openPort = (jobId: string, port: number) => this.#throughServer(hostId, jobId, port);
      return { ports: { openPort }, close: () => {} };
    }
    if (host.kind === 'socket') {
      const client = new AgentStreams({ dial: () => connect(host.path), token: host.token });
      return { ports: client, close: () => {} };
    }
    const { access, hostKeys, token } = host;
    // The server has stored the key: it has installed the agent.
    const reach = new SshReach({ access, hostKeys, jumps: this.#jumps, pin: async () => {} });
    const client = new AgentStreams({ dial: () => reach.dial(AGENT_SOCKET), token });
    return { ports: client, close: () => reach.close() };
  }

  /** Ends with the server, as only it can reach the host. */
  async #throughServer(hostId: string, jobId: string, port: number): Promise<PortConnection> {
    const stream: Duplex = connect(this.#serverSocket);
    await once(stream, 'connect');
    stream.write(`${JSON.stringify({ kind: 'port', hostId, jobId, port })}\n`);
    const { error } = JSON.parse(await readLine(stream)) as {
      readonly error: { readonly code: string; readonly message: string } | null;
    };
    if (error === null) return { stream, ownAddress: null };
    stream.destroy();
    throw new AgentRefusal(502, error.code, error.message);
  }
}
