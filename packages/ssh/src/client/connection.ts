import { lookup } from 'node:dns';
import { connect, isIP, type LookupFunction, type Socket } from 'node:net';
import { Duplex, type Readable } from 'node:stream';
import { withTimeout } from '@dstack/contract/with-timeout';
import ssh2 from 'ssh2';
import { type Channel, ChannelSocket } from './channel-socket.ts';
import type { HostCredentials } from './host-credentials.ts';
import { type HostError, permanent, temporary } from './host-error.ts';
import type { JumpTunnel } from './jump-tunnel.ts';
import { loginError } from './login-error.ts';
import { readablePrivateKey } from './private-key.ts';
import { refuseTinyPackets } from './tiny-packets.ts';

/** Whether the server may connect to an address for a host; `host`: as it was given. */
export type MayDial = (host: string, address: string) => boolean;

/** The stored identity of a host. */
export interface HostKeys {
  /** Checked for the address that is connected to; omitted: every address is allowed. */
  readonly mayDial?: MayDial;
  /** Pinned host keys (base64) by `addressOf(login)`. */
  readonly hostKeys: Readonly<Record<string, string>>;
  /** A host key seen for the first time. */
  readonly pin: (address: string, hostKey: string) => Promise<void>;
  /** The next step if a host that was set up anew has another key; omitted = as for hosts of fleets. */
  readonly ifChanged?: string;
  /** The key was given to the machine when it was ordered, so that one with another key is another. */
  readonly given?: boolean;
}

export interface SshTarget extends HostKeys {
  readonly login: HostCredentials;
  /** The tunnel, if it leads through another host. */
  readonly tunnel?: JumpTunnel | null;
}

export interface Executed {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const CONNECT_MS = 10_000;
const KEEPALIVE_MS = 10_000;
const KEEPALIVE_COUNT = 3;
const OUTPUT_LIMIT = 1024 * 1024;
/** SSH_OPEN_ADMINISTRATIVELY_PROHIBITED of RFC 4254. */
const PROHIBITED = 1;

export const addressOf = ({ hostname, port }: HostCredentials): string => `${hostname}:${port}`;

/** One SSH connection to a host, with any number of channels. */
export class SshConnection {
  readonly #client: ssh2.Client;
  readonly #transport: Duplex;
  /** The host key, in base64. */
  readonly hostKey: string;
  readonly #channels = new Set<Channel>();
  #open = true;

  private constructor({ client, hostKey }: LoggedIn, transport: Duplex, closed: () => void) {
    this.#client = client;
    this.#transport = transport;
    this.hostKey = hostKey;
    client.on('close', () => {
      this.#open = false;
      for (const channel of this.#channels) lose(channel);
      closed();
    });
    // A tunnel through another host stays open in one direction when its other end has ended, and ssh2 then
    // neither closes nor sends keepalives.
    client.on('end', () => this.close());
    // Each channel reports the error to its own user.
    client.on('error', () => {});
  }

  /** Rejects with a `HostError`. Takes over the tunnel, also after a failure. */
  static async open(target: SshTarget): Promise<SshConnection> {
    const { login, tunnel } = target;
    const release = tunnel?.release ?? (() => {});
    const transport = tunnel?.stream ?? dial(login, target.mayDial ?? (() => true));
    try {
      const loggedIn = await logIn(target, transport);
      await checkHostKey(login, target, loggedIn.hostKey);
      return new SshConnection(loggedIn, transport, release);
    } catch (error) {
      transport.destroy();
      release();
      throw error;
    }
  }

  get isOpen(): boolean {
    return this.#open;
  }

  close(): void {
    this.#open = false;
    // The client itself leaves a transport open that the other side has ended.
    this.#transport.destroy();
  }

  /** Opens a channel to a unix socket of the host. */
  openSocket(path: string): Promise<Channel> {
    return new Promise((resolve, reject) => {
      this.#client.openssh_forwardOutStreamLocal(path, (error, channel) =>
        error ? reject(error) : resolve(this.#opened(channel)),
      );
    });
  }

  /** Whether a unix socket of the host accepts connections; rejects if nothing answers at all. */
  async answers(path: string): Promise<boolean> {
    const opening = this.openSocket(path).then(
      (channel) => {
        channel.close();
        return true;
      },
      () => false,
    );
    const onTimeout = () => {
      this.close();
      return false;
    };
    const answer = await withTimeout(() => opening, { ms: CONNECT_MS / 2, onTimeout });
    if (!this.#open) throw temporary('The SSH connection to the host broke');
    return answer;
  }

  /** Whether the host's sshd forbids the forwarding that users need to reach their jobs. */
  async forbidsForwarding(port: number): Promise<boolean> {
    const opening = new Promise<boolean>((resolve) => {
      this.#client.forwardOut('127.0.0.1', 0, '127.0.0.1', port, (error, channel) => {
        channel?.close();
        resolve((error as { reason?: number } | undefined)?.reason === PROHIBITED);
      });
    });
    return await withTimeout(() => opening, { ms: CONNECT_MS / 2, onTimeout: () => false });
  }

  /** Runs a command with this input; up to 1 MiB of its output is kept. */
  async exec(
    command: string,
    { input, timeoutMs }: { readonly input: string | Readable; readonly timeoutMs: number },
  ): Promise<Executed> {
    let broke = (): void => {};
    const output = { stdout: '', stderr: '' };
    const running = new Promise<Executed>((resolve, reject) => {
      broke = () => reject(temporary('The SSH connection to the host broke'));
      this.#client.once('close', broke);
      this.#client.exec(command, (error, stream) => {
        if (error) {
          reject(temporary(`The host runs no commands: ${error.message}`, error));
          return;
        }
        collect(stream, output, resolve);
        if (typeof input === 'string') stream.end(input);
        else input.on('error', () => stream.close()).pipe(stream);
      });
    }).finally(() => this.#client.off('close', broke));
    return await withTimeout(() => running, {
      ms: timeoutMs,
      onTimeout: () => {
        this.close();
        throw temporary(
          `The host did not finish a command within ${timeoutMs / 1000} seconds${untilThen(output)}`,
        );
      },
    });
  }

  /** Starts a command, whose end ends the streams; rejects if there is no answer in time. */
  async start(command: string): Promise<ssh2.ClientChannel> {
    const opening = new Promise<ssh2.ClientChannel>((resolve, reject) => {
      this.#client.exec(command, (error, stream) => {
        if (error) reject(temporary(`The host runs no commands: ${error.message}`, error));
        else resolve(stream);
      });
    });
    return await withTimeout(() => opening, {
      ms: CONNECT_MS,
      onTimeout: () => {
        opening.then((late) => late.close()).catch(() => {});
        throw temporary(`The host did not start a command within ${CONNECT_MS / 1000} seconds`);
      },
    });
  }

  /** Opens a connection from the host to another address, as its own programs would. */
  forward(to: string, port: number): Promise<Channel> {
    return new Promise((resolve, reject) => {
      this.#client.forwardOut('127.0.0.1', 0, to, port, (error, channel) => {
        if (!error) resolve(this.#opened(channel));
        else
          reject(temporary(`${to}:${port} cannot be reached from there: ${error.message}`, error));
      });
    });
  }

  /** Opens a tunnel to another host through this one, with a limit of `ms` for the answer. */
  async through(login: HostCredentials, ms = CONNECT_MS): Promise<Duplex> {
    const where = addressOf(login);
    const opening = new Promise<Duplex>((resolve, reject) => {
      this.#client.forwardOut('127.0.0.1', 0, login.hostname, login.port, (error, channel) => {
        if (!error) resolve(new ChannelSocket(async () => this.#opened(channel)));
        else if ((error as { reason?: number }).reason === PROHIBITED) {
          const text = `The jump host forbids the way to ${where}: set \`AllowTcpForwarding yes\` in its sshd_config and reload its sshd`;
          reject(permanent(text, error));
        } else {
          const text = `${where} cannot be reached through the jump host: ${error.message}`;
          reject(temporary(text, error));
        }
      });
    });
    return await withTimeout(() => opening, {
      ms,
      onTimeout: () => {
        opening.then((late) => late.destroy()).catch(() => {});
        const text = `${where} cannot be reached through the jump host: no answer for ${ms / 1000} seconds`;
        throw temporary(text);
      },
    });
  }

  #opened(channel: Channel): Channel {
    this.#channels.add(channel);
    channel.once('close', () => this.#channels.delete(channel));
    return channel;
  }
}

/** Private parts of ssh2. */
interface Insides {
  readonly incoming: { readonly state: 'open' | 'eof' | 'closing' | 'closed' };
}

/**
 * ssh2 ends the channels of a lost connection as their other ends would, so that what has arrived would look complete. A
 * channel that has ended before is still to be read.
 */
function lose(channel: Channel): void {
  if ((channel as Channel & Insides).incoming.state !== 'open') return;
  // It may have no user at the moment.
  channel.on('error', () => {});
  // Before it closes. HTTP clients take the end of an answer without a length for complete, and `ECONNRESET` for an end.
  channel.emit('error', temporary('The SSH connection to the host broke'));
  // Its own method only ends it.
  Duplex.prototype.destroy.call(channel);
}

type Output = Pick<Executed, 'stdout' | 'stderr'>;

/** Into `output`, which a command that never ends has filled too. */
function collect(
  stream: ssh2.ClientChannel,
  output: { -readonly [Part in keyof Output]: string },
  done: (executed: Executed) => void,
): void {
  let code: number | null = null;
  stream.on('data', (chunk: Buffer) => {
    if (output.stdout.length < OUTPUT_LIMIT) output.stdout += chunk;
  });
  stream.stderr.on('data', (chunk: Buffer) => {
    if (output.stderr.length < OUTPUT_LIMIT) output.stderr += chunk;
  });
  // A command that ends before it has read its input breaks the pipe; the exit code decides.
  stream.on('error', () => {});
  stream.on('exit', (status: number | null) => {
    code = status;
  });
  stream.on('close', () => done({ code, ...output }));
}

/** The last output of a command, which shows where it hangs. */
function untilThen({ stdout, stderr }: Output): string {
  const last = (stderr.trim() || stdout.trim()).split('\n').at(-1)?.slice(0, 200);
  return last ? `; its last line until then: ${last}` : '; it printed nothing until then';
}

/**
 * Sends small packets at once: otherwise each round trip waits 40 ms for the previous one. Only addresses that were checked
 * are connected to, whatever a name resolves to later.
 */
function dial({ hostname, port }: HostCredentials, mayDial: MayDial): Socket {
  // An address is not looked up.
  if (isIP(hostname) !== 0 && !mayDial(hostname, hostname)) throw notAllowed(hostname);
  const checked: LookupFunction = (host, options, done) =>
    lookup(host, { ...options, all: true }, (error, found) => {
      if (error) return done(error, '');
      const allowed = found.filter(({ address }) => mayDial(hostname, address));
      const [first] = allowed;
      if (first === undefined) return done(notAllowed(hostname), '');
      if (options.all) done(null, allowed);
      else done(null, first.address, first.family);
    });
  const socket = connect({ host: hostname, port, lookup: checked });
  socket.setNoDelay(true);
  return socket;
}

function notAllowed(hostname: string): HostError {
  return permanent(
    `${hostname} is a loopback, link-local or multicast address, or a name of one: the server does not connect to itself for users. Give the address of the host in its network, or have the operator of the server allow this one (DSTACK_SERVER_OUTGOING_ALLOW)`,
  );
}

interface LoggedIn {
  readonly client: ssh2.Client;
  /** Base64. */
  readonly hostKey: string;
}

async function logIn(target: SshTarget, sock: Duplex): Promise<LoggedIn> {
  const { login } = target;
  const client = new ssh2.Client();
  let hostKey = '';
  let changed: HostError | null = null;
  try {
    await new Promise<void>((resolve, reject) => {
      client.on('ready', resolve);
      client.on('error', reject);
      client.on('close', () => reject(new Error('the connection was closed')));
      // The client also reports socket errors before the handshake.
      client.connect({
        sock: sock as Socket,
        username: login.user,
        privateKey: readablePrivateKey(login.privateKey),
        readyTimeout: CONNECT_MS,
        keepaliveInterval: KEEPALIVE_MS,
        keepaliveCountMax: KEEPALIVE_COUNT,
        hostVerifier: (key: Buffer) => {
          hostKey = key.toString('base64');
          changed = changedKey(login, target, hostKey);
          return changed === null;
        },
      });
      refuseTinyPackets(client);
    });
    return { client, hostKey };
  } catch (error) {
    throw changed ?? loginError(addressOf(login), login.user, error);
  }
}

/** The key of a host is pinned when it is first seen; another one later is refused. */
export async function checkHostKey(
  login: HostCredentials,
  keys: HostKeys,
  seen: string,
): Promise<void> {
  const changed = changedKey(login, keys, seen);
  if (changed) throw changed;
  const address = addressOf(login);
  if (keys.hostKeys[address] === undefined) await keys.pin(address, seen);
}

function changedKey(
  login: HostCredentials,
  { hostKeys, ifChanged, given }: HostKeys,
  seen: string,
): HostError | null {
  const address = addressOf(login);
  const pinned = hostKeys[address];
  if (pinned === undefined || pinned === seen) return null;
  if (given) return temporary(`Another machine than the ordered one answers at ${address}`);
  return permanent(
    `The host key of ${address} is not the one seen before: another computer may intercept the connection. If the host was set up anew, ${ifChanged ?? 'remove it from the fleet and add it again'}`,
  );
}
