import type { Duplex } from 'node:stream';
import { joinChannel, joinWhenOpen } from '@dstack/ssh';
import type { Connection, ServerChannel, SocketBindInfo, TcpipBindInfo } from 'ssh2';
import type { SessionHost } from '../executor/session-host.ts';
import type { SshIdentity } from './authorized-keys.ts';
import { connectSocket, listenOnSocket } from './job-sockets.ts';

type Host = () => SessionHost | null;

/** The number of ports and sockets on which a client may listen. */
const MAX_LISTENERS = 100;

/**
 * Forwards that begin in the job (`ssh -R`, from a port or a unix socket), and those to unix
 * sockets of the job. Only the job can connect to a listener, which ends with the client.
 */
export function serveReverseForwards(client: Connection, identity: SshIdentity, host: Host): void {
  const listeners = new ClientListeners(client);
  servePorts(client, host, listeners);
  serveSockets(client, identity, host, listeners);
}

/** Passed by ssh2 if the client requests an answer. */
type Accept = ((port?: number) => void) | undefined;
type Reject = (() => void) | undefined;

function servePorts(client: Connection, host: Host, listeners: ClientListeners): void {
  client.on('request', (accept: Accept, reject: Reject, name: string, info: TcpipBindInfo) => {
    const { bindAddr, bindPort } = info;
    if (name === 'tcpip-forward') {
      answer(listenOnPort(client, host(), listeners, bindAddr, bindPort), accept, reject);
    } else if (name === 'cancel-tcpip-forward') {
      if (listeners.end(portKey(bindAddr, bindPort))) accept?.();
      else reject?.();
    }
  });
}

function serveSockets(
  client: Connection,
  identity: SshIdentity,
  host: Host,
  listeners: ClientListeners,
): void {
  client.on('request', (accept: Accept, reject: Reject, name: string, info: SocketBindInfo) => {
    const { socketPath } = info;
    if (name === 'streamlocal-forward@openssh.com') {
      answer(listenOnPath(client, host(), identity, listeners, socketPath), accept, reject);
    } else if (name === 'cancel-streamlocal-forward@openssh.com') {
      if (listeners.end(socketPath)) accept?.();
      else reject?.();
    }
  });
  client.on('openssh.streamlocal', (accept, reject, { socketPath }) => {
    const root = host()?.socketRoot();
    if (!root) return reject();
    connectSocket(root, socketPath).then(
      (connection) => {
        if (listeners.closed) connection.destroy();
        else joinChannel(accept(), connection);
      },
      () => reject(),
    );
  });
}

function answer(listening: Promise<number>, accept: Accept, reject: Reject): void {
  listening.then(
    (port) => accept?.(port),
    () => reject?.(),
  );
}

async function listenOnPort(
  client: Connection,
  host: SessionHost | null,
  listeners: ClientListeners,
  address: string,
  port: number,
): Promise<number> {
  if (!host) throw new Error('the job does not run');
  listeners.makeRoom();
  // For every requested address, only the job itself can connect, as with OpenSSH's
  // GatewayPorts=no.
  const listener = await host.listen(port, (connection, caller) => {
    const { host: from, port: fromPort } = caller;
    lead(connection, (opened) => client.forwardOut(address, listener.port, from, fromPort, opened));
  });
  listeners.add(portKey(address, listener.port), () => listener.close());
  return listener.port;
}

async function listenOnPath(
  client: Connection,
  host: SessionHost | null,
  identity: SshIdentity,
  listeners: ClientListeners,
  path: string,
): Promise<number> {
  const root = host?.socketRoot();
  if (!host || !root) throw new Error('sockets of the job cannot be reached');
  listeners.makeRoom();
  const account = await host.account(identity.login);
  const listener = await listenOnSocket(root, path, account, (connection) => {
    lead(connection, (opened) => client.openssh_forwardOutStreamLocal(path, opened));
  });
  listeners.add(path, () => listener.close());
  return 0;
}

/** Forwards a connection of the job to the client, over a new channel. */
function lead(
  connection: Duplex,
  open: (opened: (error: Error | undefined, channel: ServerChannel) => void) => void,
): void {
  const opening = new Promise<ServerChannel>((resolve, reject) => {
    open((error, channel) => (error ? reject(error) : resolve(channel)));
  });
  joinWhenOpen(connection, opening);
}

function portKey(address: string, port: number): string {
  return `${address}:${port}`;
}

/** The listeners of a client, which all end with the client. */
class ClientListeners {
  readonly #ends = new Map<string, () => void>();
  #closed = false;

  constructor(client: Connection) {
    client.once('close', () => {
      this.#closed = true;
      for (const end of this.#ends.values()) end();
    });
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Throws if there are too many. */
  makeRoom(): void {
    if (this.#ends.size >= MAX_LISTENERS) throw new Error('too many forwards');
  }

  add(key: string, end: () => void): void {
    if (this.#closed) end();
    else this.#ends.set(key, end);
  }

  end(key: string): boolean {
    const end = this.#ends.get(key);
    this.#ends.delete(key);
    end?.();
    return end !== undefined;
  }
}
