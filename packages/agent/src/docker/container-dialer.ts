import type { Duplex } from 'node:stream';
import { dialTcp } from '../network/dial.ts';
import { type Listener, listenTcp, type OnCaller } from '../network/listen.ts';
import { type ContainerDialer, dialIntoContainer } from './netns-relay/dial-into-container.ts';

export interface ContainerNetwork {
  /** First process of the container as this host numbers it. */
  readonly pid: number;
  readonly host: boolean;
  /** Address on the daemon's bridge. */
  readonly ip: string | null;
  /** Path of a unix socket for the relay. */
  readonly socket: string;
}

const LOOPBACK = new Set(['localhost', '127.0.0.1', '::1']);

/**
 * Connects as a process of the container would: from the agent if the container uses the host's
 * network, else from inside its namespace. If the namespace cannot be entered, only ports on the
 * bridge address can be reached.
 */
export class JobDialer {
  readonly #network: ContainerNetwork;
  #relay: ContainerDialer | null = null;

  constructor(network: ContainerNetwork) {
    this.#network = network;
  }

  dial(host: string, port: number): Promise<Duplex> {
    const { host: hostNetwork, pid, socket } = this.#network;
    if (hostNetwork) return dialTcp(host, port);
    if (process.getuid?.() !== 0 || pid <= 0) return this.#fromOutside(host, port);
    this.#relay ??= dialIntoContainer(pid, { socketPath: socket });
    return this.#relay.dial(host, port);
  }

  /** Listens where only the container's processes can connect. */
  listen(port: number, onCaller: OnCaller): Promise<Listener> {
    const { host: hostNetwork, pid, socket } = this.#network;
    if (hostNetwork) return listenTcp('127.0.0.1', port, onCaller);
    if (process.getuid?.() !== 0 || pid <= 0) {
      return Promise.reject(new Error('the network of the job cannot be entered'));
    }
    this.#relay ??= dialIntoContainer(pid, { socketPath: socket });
    return this.#relay.listen('127.0.0.1', port, onCaller);
  }

  async close(): Promise<void> {
    await this.#relay?.close();
  }

  async #fromOutside(host: string, port: number): Promise<Duplex> {
    if (!LOOPBACK.has(host)) return dialTcp(host, port);
    if (this.#network.ip === null) throw new Error('the job has no address on this host');
    return dialTcp(this.#network.ip, port);
  }
}
