import type { Duplex } from 'node:stream';
import {
  CannotEnterError,
  type ContainerDialer,
  dialIntoContainer,
} from '../ssh/netns-relay/dial-into-container.ts';
import { dialTcp } from './dial.ts';

export interface NamespaceDialerOptions {
  /** A process in the network namespace, as this host numbers it; null = dial from here. */
  readonly pid: number | null;
  /** Where to look for the job's ports when its namespace cannot be entered. */
  readonly fallbackHost: string | null;
  /** Path of a unix socket for the relay. */
  readonly socket: string;
}

/**
 * Makes connections as a process inside a container would: through a relay in its network namespace,
 * so that servers bound to its loopback can be reached. Where it cannot be entered (no root, no
 * `nsenter`) the container's address is dialled instead; such servers do not answer there.
 */
export class NamespaceDialer {
  readonly #options: NamespaceDialerOptions;
  #inside: ContainerDialer | null = null;

  constructor(options: NamespaceDialerOptions) {
    this.#options = options;
  }

  async dial(host: string, port: number): Promise<Duplex> {
    const { pid, socket } = this.#options;
    if (pid === null) return await dialTcp(host, port);
    if (process.getuid?.() !== 0) return await this.#dialAddress(host, port);
    try {
      this.#inside ??= dialIntoContainer(pid, { socketPath: socket });
      return await this.#inside.dial(host, port);
    } catch (error) {
      if (!(error instanceof CannotEnterError)) throw error;
      return await this.#dialAddress(host, port);
    }
  }

  close(): void {
    void this.#inside?.close();
  }

  async #dialAddress(host: string, port: number): Promise<Duplex> {
    const { fallbackHost } = this.#options;
    const local = host === 'localhost' || host === '127.0.0.1' || host === '::1';
    if (local && fallbackHost === null) throw new Error('the job has no address on this host');
    return await dialTcp(local && fallbackHost ? fallbackHost : host, port);
  }
}
