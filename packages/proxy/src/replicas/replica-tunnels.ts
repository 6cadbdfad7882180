/** Connections to replicas on SSH hosts by a program that has no link to their agents. */
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { errorMessage } from '@dstack/contract/error-message';
import type { SshConnection, SshReach } from '@dstack/ssh';
import type { ProxyLog } from '../log.ts';

/** The way of a user to a job: through the host's sshd to the SSH server of the job. */
export interface TunnelRoute {
  readonly hostname: string;
  readonly port: number;
  readonly user: string;
  /** Base64, as the server has pinned it. */
  readonly hostKey: string;
  readonly jobPort: number;
  readonly jobHostKey: string;
}

export interface ReplicaTunnelsOptions {
  readonly log: ProxyLog;
}

const ssh = () => import('./ssh-parts.ts');

interface Host {
  readonly reach: Promise<SshReach>;
  users: number;
}

const LOOPBACK = '127.0.0.1';
const OPEN_MS = 5000;
const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 30_000;

/** Keeps a connection to each replica open, so that a request need not wait for one. */
export class ReplicaTunnels {
  readonly #log: ProxyLog;
  readonly #hosts = new Map<string, Host>();
  readonly #jobs = new Map<string, JobTunnel>();
  #privateKey: string | null = null;

  constructor({ log }: ReplicaTunnelsOptions) {
    this.#log = log;
  }

  /** The key that the agents of the hosts accept. */
  setKey(privateKey: string): void {
    this.#privateKey = privateKey;
  }

  /** The replicas from now on, by the ids of their jobs. */
  setRoutes(routes: ReadonlyMap<string, TunnelRoute>): void {
    for (const [jobId, { route }] of this.#jobs) {
      const next = routes.get(jobId);
      if (next === undefined || JSON.stringify(next) !== JSON.stringify(route)) this.#end(jobId);
    }
    for (const [jobId, route] of routes) {
      if (!this.#jobs.has(jobId)) this.#begin(jobId, route);
    }
  }

  /** Null: there is no connection to the job now. */
  open(jobId: string, port: number): Promise<Duplex> | null {
    return this.#jobs.get(jobId)?.open(port) ?? null;
  }

  isOpen(jobId: string): boolean {
    return this.#jobs.get(jobId)?.isOpen ?? false;
  }

  close(): void {
    for (const jobId of [...this.#jobs.keys()]) this.#end(jobId);
  }

  #begin(jobId: string, route: TunnelRoute): void {
    if (this.#privateKey === null) return;
    const host = this.#hosts.get(hostOf(route)) ?? this.#open(route, this.#privateKey);
    host.users += 1;
    const { reach } = host;
    const privateKey = this.#privateKey;
    this.#jobs.set(jobId, new JobTunnel({ jobId, route, reach, privateKey, log: this.#log }));
  }

  #open({ hostname, port, user, hostKey }: TunnelRoute, privateKey: string): Host {
    const login = { hostname, port, user, privateKey };
    const reach = ssh().then(
      ({ JumpHosts, SshReach }) =>
        new SshReach({
          access: { login, proxy: null },
          hostKeys: { [`${hostname}:${port}`]: hostKey },
          jumps: new JumpHosts(),
          pin: unknownKey,
        }),
    );
    const host = { reach, users: 0 };
    this.#hosts.set(hostOf(login), host);
    return host;
  }

  #end(jobId: string): void {
    const job = this.#jobs.get(jobId);
    this.#jobs.delete(jobId);
    if (job === undefined) return;
    job.close();
    const key = hostOf(job.route);
    const host = this.#hosts.get(key);
    if (host === undefined) return;
    host.users -= 1;
    if (host.users > 0) return;
    this.#hosts.delete(key);
    void host.reach.then((reach) => reach.close());
  }
}

const hostOf = ({ user, hostname, port }: Pick<TunnelRoute, 'user' | 'hostname' | 'port'>) =>
  `${user}@${hostname}:${port}`;

/** Each key is known before: the server has seen it. */
async function unknownKey(address: string): Promise<never> {
  throw new Error(`the host key of ${address} is not known`);
}

interface JobTunnelOptions {
  readonly jobId: string;
  readonly route: TunnelRoute;
  readonly reach: Promise<SshReach>;
  readonly privateKey: string;
  readonly log: ProxyLog;
}

/** One connection to the SSH server of a job, opened again when it has broken. */
class JobTunnel {
  readonly route: TunnelRoute;
  readonly #options: JobTunnelOptions;
  readonly #ending = new AbortController();
  #connection: SshConnection | null = null;
  #lastError = '';

  constructor(options: JobTunnelOptions) {
    this.route = options.route;
    this.#options = options;
    void this.#keep();
  }

  get isOpen(): boolean {
    return this.#connection?.isOpen ?? false;
  }

  open(port: number): Promise<Duplex> | null {
    const connection = this.#connection;
    if (!connection?.isOpen) return null;
    return within(connection.forward('localhost', port), () => connection.close());
  }

  /** Streams that are open go on until they end, if the connection does. */
  close(): void {
    this.#ending.abort();
    this.#connection?.close();
  }

  async #keep(): Promise<void> {
    const { signal } = this.#ending;
    for (let wait = FIRST_WAIT_MS; !signal.aborted; ) {
      try {
        await this.#live();
        wait = FIRST_WAIT_MS;
      } catch (error) {
        this.#failed(errorMessage(error));
      }
      await delay(wait, undefined, { signal, ref: false }).catch(() => {});
      wait = Math.min(wait * 2, LONGEST_WAIT_MS);
    }
  }

  /** Resolves when the connection has ended; rejects if there was none. */
  async #live(): Promise<void> {
    const { reach, route, privateKey } = this.#options;
    const { jobPort, jobHostKey } = route;
    const login = { hostname: LOOPBACK, port: jobPort, user: 'root', privateKey };
    const { SshConnection } = await ssh();
    const host = await (await reach).connected();
    const stream = await host.through(login);
    const ended = Promise.withResolvers<void>();
    const connection = await SshConnection.open({
      ...{ login, tunnel: { stream, release: ended.resolve }, pin: unknownKey },
      hostKeys: { [`${LOOPBACK}:${jobPort}`]: jobHostKey },
    });
    this.#connection = connection;
    this.#lastError = '';
    if (this.#ending.signal.aborted) connection.close();
    await ended.promise;
    this.#connection = null;
  }

  #failed(error: string): void {
    if (error === this.#lastError || this.#ending.signal.aborted) return;
    this.#lastError = error;
    const { log, jobId } = this.#options;
    log.info({ job: jobId, error }, 'a replica is reached through the server for now');
  }
}

async function within(opening: Promise<Duplex>, broke: () => void): Promise<Duplex> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      opening.then((stream) => stream.destroy()).catch(() => {});
      broke();
      reject(new Error('the host of the replica has not answered'));
    }, OPEN_MS);
  });
  try {
    return await Promise.race([opening, late]);
  } finally {
    clearTimeout(timer);
  }
}
