import { ChannelSocket } from './channel-socket.ts';
import { type HostKeys, type MayDial, SshConnection } from './connection.ts';
import type { HostCredentials } from './host-credentials.ts';
import { temporary } from './host-error.ts';
import type { JumpHosts } from './jump-hosts.ts';

export interface SshReachOptions {
  readonly access: {
    readonly login: HostCredentials;
    /** The jump host, if there is one. */
    readonly proxy: HostCredentials | null;
    /** A machine that was ordered, and the host key that it was given; omitted: an existing host. */
    readonly vm?: { readonly hostKey: string | null };
  };
  readonly hostKeys: Readonly<Record<string, string>>;
  /** A host key seen for the first time. */
  readonly pin: HostKeys['pin'];
  readonly jumps: JumpHosts;
  readonly mayDial?: MayDial;
}

/** One SSH connection to a host, opened when it is needed, and again after it broke. */
export class SshReach {
  readonly #options: SshReachOptions;
  readonly #hostKeys: Record<string, string>;
  #connection: Promise<SshConnection> | null = null;
  #closed = false;

  constructor(options: SshReachOptions) {
    this.#options = options;
    this.#hostKeys = { ...options.hostKeys };
  }

  /** A connection to a unix socket of the host. */
  dial(path: string): ChannelSocket {
    return new ChannelSocket(async () => (await this.connected()).openSocket(path));
  }

  /** Rejects with a `HostError`. */
  async connected(): Promise<SshConnection> {
    if (this.#closed) throw temporary('The host has left its fleet');
    const current = this.#connection;
    const present = await current?.catch(() => null);
    if (present?.isOpen) return present;
    // Another caller that waited may have begun to open it again.
    if (this.#connection === current || this.#connection === null) this.#connection = this.#open();
    return await this.#connection;
  }

  close(): void {
    this.#closed = true;
    this.#connection?.then((connection) => connection.close()).catch(() => {});
    this.#connection = null;
  }

  async #open(): Promise<SshConnection> {
    const { access, jumps, pin, mayDial } = this.#options;
    const keys = {
      ...(mayDial && { mayDial }),
      given: Boolean(access.vm?.hostKey),
      hostKeys: this.#hostKeys,
      pin: async (address: string, hostKey: string) => {
        this.#hostKeys[address] = hostKey;
        await pin(address, hostKey);
      },
    };
    const { login, proxy } = access;
    const tunnel = proxy && (await jumps.openTunnel(proxy, keys, login));
    const connection = await SshConnection.open({ login, tunnel, ...keys });
    if (this.#closed) connection.close();
    return connection;
  }
}
