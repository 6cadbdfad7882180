/** nginx before the server: it has the server's address, and outlives the server. */
import { chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { Server as HttpServer } from 'node:http';
import { type AddressInfo, createServer, isIPv6, type Server, type Socket } from 'node:net';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { errorMessage } from '@dstack/contract/error-message';
import {
  boundLog,
  findNginx,
  luaFolder,
  luaModules,
  NginxProcess,
  NginxRefusal,
  type PlainOptions,
  plainSocket,
  removeOtherLua,
} from '@dstack/proxy';
import { makeSocketFolder } from '../../hosts/socket-folder.ts';
import { listen, type Address as Place } from '../../process/listen.ts';
import type { Logger } from '../../process/logging.ts';
import { StartError } from '../../process/start-error.ts';
import { listenerFd } from '../listener-fd.ts';
import type { Address } from '../protocol.ts';
import { type WorkerPaths, workerPaths } from '../worker-records.ts';
import { type ServerNginxOptions as Configured, serverConfiguration } from './configuration.ts';

export interface ServerNginxOptions
  extends Pick<Configured, 'processes' | 'servicesDomain'>,
    Pick<PlainOptions, 'timeoutMs' | 'hasProxies' | 'maxBody' | 'lingerMs'> {
  readonly paths: Pick<WorkerPaths, 'sockets'>;
  /** Takes connections that come while nginx is being started. */
  readonly http: HttpServer;
  /** Called before one of an earlier server ends, which had another address. */
  readonly keepTotals: () => Promise<void>;
  readonly env: NodeJS.ProcessEnv;
  readonly log: Logger;
}

/** The address of the server, as it was configured and as it is. */
type Held = Place & { readonly actual: { readonly address: string; readonly port: number } };

/** Time between two looks whether it runs, in milliseconds. */
const LOOK_MS = 1000;
const RECORD = 'address.json';
/** Bytes of its log, of which there may be two. */
const MAX_LOG = 10_000_000;

const folderIn = ({ sockets }: Pick<WorkerPaths, 'sockets'>): string => join(sockets, 'nginx');

/** Where workers listen, or the server. */
export const behindSocket = (paths: Pick<WorkerPaths, 'sockets'>): string =>
  join(paths.sockets, 'behind.sock');

/** How the server's nginx is asked by the process that leads it. */
export const nginxControlSocket = (paths: Pick<WorkerPaths, 'sockets'>): string =>
  plainSocket(folderIn(paths));

/** The nginx of a computer; see `nginx-program.ts` of the proxy. */
export interface Computer {
  readonly platform: NodeJS.Platform;
  readonly findNginx: () => string | null;
  readonly luaModules: (program: string) => readonly string[] | null;
}

const HERE: Computer = { platform: process.platform, findNginx, luaModules };

/** Throws `StartError` if this computer has not what is needed. */
export function nginxHere({ platform, findNginx, luaModules }: Computer = HERE): {
  readonly program: string;
  readonly modules: readonly string[];
} {
  if (platform !== 'linux') {
    throw new StartError('DSTACK_SERVER_PROXY is nginx, which is supported on Linux only', {
      next: 'unset DSTACK_SERVER_PROXY',
    });
  }
  const program = findNginx();
  const modules = program === null ? null : luaModules(program);
  if (program !== null && modules !== null) return { program, modules };
  const missing = program === null ? 'nginx is' : 'the module of nginx for Lua is';
  throw new StartError(
    `DSTACK_SERVER_PROXY is nginx, and ${missing} not installed on ${hostname()}`,
    {
      next: 'run `sudo apt-get install -y nginx-light libnginx-mod-http-lua` there, or unset DSTACK_SERVER_PROXY',
    },
  );
}

/** The nginx of an earlier server has the address. `dir`: of the server. */
export function isHeldByNginx({ dir, host, port }: Place & { readonly dir: string }): boolean {
  const folder = folderIn(workerPaths(dir));
  const held = heldIn(folder);
  if (held === null || held.host !== host || held.port !== port) return false;
  return new NginxProcess(folder, SILENT).isListening;
}

/** Ends the nginx of an earlier server that had one: its address is free then. `keepTotals`: called before, if it runs. */
export async function endEarlierNginx(
  paths: Pick<WorkerPaths, 'sockets'>,
  keepTotals: () => Promise<void>,
): Promise<void> {
  const folder = folderIn(paths);
  if (heldIn(folder) === null) return;
  const nginx = new NginxProcess(folder, SILENT);
  if (nginx.isListening) await keepTotals();
  await nginx.stop();
}

const SILENT = { debug() {}, info() {}, warn() {}, error() {} };

export class ServerNginx {
  readonly #options: ServerNginxOptions;
  readonly #folder: string;
  readonly #process: NginxProcess;
  #held: Held | null = null;
  #timer: NodeJS.Timeout | null = null;
  #ensuring: Promise<void> = Promise.resolve();
  #isEnding = false;
  #problem: string | null = null;

  constructor(options: ServerNginxOptions) {
    this.#options = options;
    this.#folder = folderIn(options.paths);
    this.#process = new NginxProcess(this.#folder, options.log);
  }

  /** Unix socket of what nginx does not answer. */
  get behind(): string {
    return behindSocket(this.#options.paths);
  }

  /** Why it does not run, though it should; null = it does. */
  get problem(): string | null {
    return this.#problem;
  }

  /** Makes it run at this address; one of an earlier server goes on. Throws `StartError`. */
  async start({ host, port }: Place): Promise<Address> {
    this.#makeFolders();
    const before = heldIn(this.#folder);
    const isSame = before?.host === host && before.port === port && port !== 0;
    if (!isSame) await endEarlierNginx(this.#options.paths, this.#options.keepTotals);
    this.#held = isSame ? before : null;
    try {
      await this.#ensure({ host, port });
    } catch (error) {
      if (!(error instanceof NginxRefusal)) throw error;
      throw new StartError(`DSTACK_SERVER_PROXY is nginx, and ${error.message}`, {
        next: 'unset DSTACK_SERVER_PROXY to start without it',
        cause: error,
      });
    }
    this.#timer = setInterval(() => this.#look(), LOOK_MS).unref();
    const { actual } = this.#held as unknown as Held;
    return { host, port: actual.port, url: urlOf(actual), behind: this.behind };
  }

  /** It goes on, and the next server finds it. */
  detach(): void {
    this.#isEnding = true;
    if (this.#timer !== null) clearInterval(this.#timer);
  }

  /** Its address is free at once; requests under way may take `limitMs`. */
  async end(limitMs: number): Promise<void> {
    this.detach();
    await this.#ensuring.catch(() => {});
    await this.#process.stop(limitMs);
  }

  #look(): void {
    boundLog(join(this.#folder, 'nginx-error.log'), MAX_LOG);
    if (this.#isEnding || this.#process.isRunning) return;
    const held = this.#held as Held;
    this.#ensuring = this.#ensuring
      .then(() => (this.#isEnding ? undefined : this.#ensure({ ...held, port: held.actual.port })))
      .then(() => {
        this.#problem = null;
      })
      .catch((error) => {
        if (this.#problem === null) this.#options.log.error({ err: error }, 'nginx does not run');
        this.#problem = errorMessage(error);
      });
  }

  async #ensure(place: Place): Promise<void> {
    if (this.#process.isRunning && this.#held !== null) {
      try {
        return await this.#run(this.#held, undefined);
      } catch (error) {
        // It may have been killed meanwhile.
        if (this.#process.isRunning) throw error;
      }
    }
    await this.#startAt(place);
  }

  /** Requests that come meanwhile are answered by this process. */
  async #startAt(place: Place): Promise<void> {
    const { http } = this.#options;
    const server = createServer((socket: Socket) => http.emit('connection', socket));
    await listen({ listen: (at) => listening(server, at) }, place);
    try {
      const { address, port } = server.address() as AddressInfo;
      const asked = this.#held ?? place;
      this.#held = { host: asked.host, port: asked.port, actual: { address, port } };
      // Before it has the address: the next server must find whose it is, even if this one is killed now.
      keep(this.#folder, this.#held);
      await this.#run(this.#held, listenerFd(server));
    } finally {
      server.close();
    }
  }

  async #run({ actual }: Held, listener: number | undefined): Promise<void> {
    const { env, processes, servicesDomain, timeoutMs, hasProxies, maxBody, lingerMs } =
      this.#options;
    const { program, modules } = nginxHere();
    const folder = luaFolder(this.#folder);
    if (!this.#process.isListening) removeOtherLua(this.#folder, folder);
    await this.#process.run({
      program,
      configuration: serverConfiguration({
        ...{ folder: this.#folder, listen: listenOf(actual), behind: this.behind, processes },
        ...{ isRoot: process.getuid?.() === 0, servicesDomain },
        plain: {
          ...{ modules, folder, timeoutMs, lingerMs },
          ...{ hasProxies: hasProxies ?? false, maxBody: maxBody ?? 0 },
        } as PlainOptions,
      }),
      sockets: [plainSocket(this.#folder)],
      env,
      ...(listener !== undefined && { listener }),
    });
  }

  #makeFolders(): void {
    // They are in its configuration and in Lua, each of which has its own signs.
    if (/[^\w./@+-]/.test(this.#folder)) {
      throw new StartError(
        `DSTACK_SERVER_PROXY is nginx, whose folder cannot be ${JSON.stringify(this.#folder)}`,
        {
          next: 'set XDG_RUNTIME_DIR to a folder whose path has only letters, digits, / . _ and -',
        },
      );
    }
    makeSocketFolder(this.behind);
    // A user who can connect there can claim any address of a client.
    for (const path of [this.#folder, dirname(plainSocket(this.#folder)), `${this.#folder}/tmp`]) {
      mkdirSync(path, { recursive: true, mode: 0o700 });
      chmodSync(path, 0o700);
    }
  }
}

/** Others of the same user may listen beside it: nginx that takes it over, and workers of one that was killed. */
async function listening(server: Server, { host, port }: Place): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port, reusePort: true }, resolve);
  });
  return '';
}

function keep(folder: string, held: Held): void {
  const path = join(folder, RECORD);
  writeFileSync(`${path}.new`, JSON.stringify(held), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

/** Null: no nginx was started there. */
function heldIn(folder: string): Held | null {
  try {
    return JSON.parse(readFileSync(join(folder, RECORD), 'utf8')) as Held;
  } catch {
    return null;
  }
}

/** A socket at all addresses of IPv6 takes those of IPv4 too, as Node opens it. */
function listenOf({ address, port }: Held['actual']): string {
  if (!isIPv6(address)) return `${address}:${port}`;
  return `[${address}]:${port}${address === '::' ? ' ipv6only=off' : ''}`;
}

const EVERYWHERE: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' };

function urlOf({ address, port }: Held['actual']): string {
  const shown = EVERYWHERE[address] ?? address;
  return `http://${isIPv6(shown) ? `[${shown}]` : shown}:${port}`;
}
