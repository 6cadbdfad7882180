/**
 * Access to a job whose SSH server is loaded by the first connection: its library needs as much processor
 * time as a quarter of the agent's start, and few jobs are ever entered.
 */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { EventLogger } from './host/log.ts';
import type { JobAccess, JobAccessOptions, OpenJobAccess } from './jobs/job-access.ts';

const LOCAL = '127.0.0.1';
/** Connections while it is being loaded. */
const MAX_WAITING = 50;

export function lateJobAccess(load: () => Promise<OpenJobAccess>, log: EventLogger): OpenJobAccess {
  return async (options) => {
    // The other nodes enter the job at a port of their own.
    if (options.spec.jobs_per_replica > 1) return await (await load())(options);
    const port = await openedPort(options.preferredPort);
    return new LateJobAccess({ ...options, openPort: port }, load, log);
  };
}

/** Another port if the preferred one is taken. */
async function openedPort(preferred: number | null): Promise<Server> {
  const server = createServer({ noDelay: true });
  const listen = async (port: number) => {
    await once(server.listen(port, LOCAL), 'listening');
  };
  try {
    await listen(preferred ?? 0);
  } catch (error) {
    if (preferred === null || (error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    await listen(0);
  }
  // An error of one connection, such as too few descriptors, must not end the others.
  return server.on('error', () => {});
}

interface LateOptions extends JobAccessOptions {
  readonly openPort: Server;
}

class LateJobAccess implements JobAccess {
  readonly port: number;
  readonly #options: LateOptions;
  readonly #load: () => Promise<OpenJobAccess>;
  readonly #log: EventLogger;
  readonly #waiting = new Set<Socket>();
  #users: readonly string[];
  #opening: Promise<void> | null = null;
  #access: JobAccess | null = null;
  #isClosed = false;

  constructor(options: LateOptions, load: () => Promise<OpenJobAccess>, log: EventLogger) {
    this.#options = options;
    this.#load = load;
    this.#log = log;
    this.#users = options.spec.authorized_keys.user;
    this.port = (options.openPort.address() as AddressInfo).port;
    options.openPort.on('connection', this.#onConnection);
  }

  lastActivity(): number | null {
    return this.#access?.lastActivity() ?? null;
  }

  authorizeUsers(keys: readonly string[]): void {
    this.#users = keys;
    this.#access?.authorizeUsers(keys);
  }

  async ended(): Promise<void> {
    await this.#access?.ended();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const socket of this.#waiting) socket.destroy();
    await this.#opening;
    if (this.#access) return await this.#access.close();
    const { openPort } = this.#options;
    await new Promise<void>((resolve) => openPort.close(() => resolve()));
  }

  readonly #onConnection = (socket: Socket): void => {
    if (this.#isClosed || this.#waiting.size >= MAX_WAITING) return void socket.destroy();
    socket.on('error', () => socket.destroy());
    socket.once('close', () => this.#waiting.delete(socket));
    this.#waiting.add(socket);
    this.#opening ??= this.#open().finally(() => {
      this.#opening = null;
    });
  };

  /** The SSH server reads the bytes that the client has sent meanwhile. */
  async #open(): Promise<void> {
    try {
      const open = await this.#load();
      const access = await open(this.#options);
      this.#access = access;
      access?.authorizeUsers(this.#users);
    } catch (error) {
      // The next connection tries it again.
      this.#log.error('no SSH access to the job', error, { job: this.#options.spec.id });
      for (const socket of this.#waiting) socket.destroy();
      return;
    }
    const { openPort } = this.#options;
    openPort.off('connection', this.#onConnection);
    for (const socket of this.#waiting) openPort.emit('connection', socket);
    this.#waiting.clear();
  }
}
