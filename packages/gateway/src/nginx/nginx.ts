import { execFile, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import {
  luaFolder,
  modulesFolder,
  PLAIN_MODULES,
  type PlainOptions,
  type ProxyLog,
  plainSocket,
  portHolder,
  processesWith,
  removeOtherLua,
} from '@dstack/proxy';
import { clientSocket, type NginxOptions, nginxConfiguration } from './configuration.ts';

/** The host cannot be a gateway until a person changes something. */
export class Refused extends Error {
  override name = 'Refused';
}

class WrongConfiguration extends Refused {}

const execute = promisify(execFile);
const PROGRAMS = ['/usr/sbin/nginx', '/usr/local/sbin/nginx', '/usr/local/nginx/sbin/nginx'];
/** Without `ngx_http_v2_module` and TLS there is no gateway; Debian's smallest package has both. */
const PACKAGE = 'nginx-light';
/** For challenges by tls-alpn-01 alone. */
const STREAM_PACKAGE = 'libnginx-mod-stream';
/** For requests that nginx answers itself. */
const LUA_PACKAGE = 'libnginx-mod-http-lua';
/** Setting of the network namespace: connections that wait at a closed listener move to another one. */
const MOVE_WAITING = '/proc/sys/net/ipv4/tcp_migrate_req';
const START_MS = 5000;
/** For requests under way when the gateway is removed; the agent waits 15 seconds for all of it. */
const LEAVE_MS = 8000;

export type Wanted = Pick<
  NginxOptions,
  'httpPort' | 'httpsPort' | 'maxBody' | 'hsts' | 'workers' | 'acmeProof' | 'acmeSocket'
> & {
  /** Milliseconds without a byte after which a request that nginx answers itself fails; null = workers answer all. */
  readonly plainTimeoutMs: number | null;
};

/** The present state of nginx. `notPlain`: why it answers no requests itself although that is wanted; null = it does. */
export interface NginxState {
  readonly notPlain: string | null;
}

export interface NginxSetup {
  readonly runtime: string;
  /** The user of nginx's workers; null = this process is not root. */
  readonly user: string | null;
  /** Group id of nginx's workers; null as `user`. */
  readonly group: number | null;
  readonly log: ProxyLog;
}

/** Our own nginx, beside one that the host may have. It outlives this process. */
export class Nginx {
  readonly #setup: NginxSetup;

  constructor(setup: NginxSetup) {
    this.#setup = setup;
    const readable = ['acme', 'acme/.well-known', 'acme/.well-known/acme-challenge', 'tmp'];
    for (const name of readable) {
      mkdirSync(`${setup.runtime}/${name}`, { recursive: true });
      // The mask of this process may keep nginx's own user out.
      chmodSync(`${setup.runtime}/${name}`, 0o755);
    }
    // A user who can connect there can claim any address of a client.
    const closed = dirname(clientSocket(setup.runtime));
    mkdirSync(closed, { recursive: true });
    if (setup.group !== null) chownSync(closed, 0, setup.group);
    chmodSync(closed, setup.group === null ? 0o700 : 0o750);
  }

  /**
   * Makes nginx run with this configuration, which is checked first; if it is wrong, nginx goes on with
   * the one before. Without its module for Lua nginx leaves all requests to the workers. Throws `Refused`.
   */
  async ensure(wanted: Wanted, { install }: { readonly install: boolean }): Promise<NginxState> {
    const program = await this.#program(install);
    const { plainTimeoutMs } = wanted;
    const streamModule =
      wanted.acmeSocket === null ? null : await this.#streamModule(program, install);
    const textWith = (plain: PlainOptions | null) =>
      nginxConfiguration({
        ...{ ...wanted, streamModule, plain },
        ...{ runtime: this.#setup.runtime, user: this.#setup.user },
        hasHttp2Directive: isFrom(program, [1, 25, 1]),
        hasCertificateCache: isFrom(program, [1, 27, 4]),
        hasIpv6: existsSync('/proc/net/if_inet6'),
      });
    const found = plainTimeoutMs === null ? null : await this.#luaModules(program, install);
    if (plainTimeoutMs === null || typeof found === 'string') {
      await this.#run(program, wanted, textWith(null));
      return { notPlain: found as string | null };
    }
    const folder = luaFolder(this.#setup.runtime);
    if (!this.isRunning()) removeOtherLua(this.#setup.runtime, folder);
    const plain = { modules: found ?? [], folder, timeoutMs: plainTimeoutMs };
    try {
      await this.#run(program, wanted, textWith(plain));
      return { notPlain: null };
    } catch (error) {
      // A module that does not fit its nginx must not keep it from running.
      if (!(error instanceof WrongConfiguration)) throw error;
      await this.#run(program, wanted, textWith(null));
      return { notPlain: error.message };
    }
  }

  async #run(program: string, wanted: Wanted, text: string): Promise<void> {
    const isRunning = this.isRunning();
    const isSame = textOf(this.#path) === text;
    if (isRunning && isSame) return;
    const orphans = isRunning ? [] : this.#orphans();
    if (!isRunning) await this.#freePorts(wanted, orphans);
    if (!isSame) {
      const next = `${this.#path}.new`;
      writeFileSync(next, text, { mode: 0o600 });
      await this.#check(program, next);
      renameSync(next, this.#path);
    }
    if (isRunning) {
      process.kill(this.#pid() ?? 0, 'SIGHUP');
      this.#setup.log.info('nginx was reloaded');
      return;
    }
    this.#keepWaiting();
    // A master process that was killed has left them; its workers lead new connections to the next one.
    for (const path of [clientSocket(this.#setup.runtime), plainSocket(this.#setup.runtime)]) {
      rmSync(path, { force: true });
    }
    await this.#start(program);
    // They shared the ports until now, and finish their requests.
    for (const pid of orphans) end(pid, 'SIGQUIT');
  }

  /**
   * When a socket of a shared port closes, connections that wait there move to the other ones. Without
   * it the kernel resets those that the workers of a killed master process have not accepted yet.
   */
  #keepWaiting(): void {
    try {
      if (this.#setup.user !== null) writeFileSync(MOVE_WAITING, '1');
    } catch {
      // An older kernel, or a container that may not change it.
    }
  }

  isRunning(): boolean {
    return this.#pid() !== null;
  }

  /** Waits for requests under way, but not for long. */
  async stop(): Promise<void> {
    const pid = this.#pid();
    for (const orphan of pid === null ? this.#orphans() : []) end(orphan, 'SIGTERM');
    if (pid === null) return;
    for (const [signal, patience] of [
      ['SIGQUIT', LEAVE_MS],
      ['SIGTERM', START_MS],
    ] as const) {
      if (this.#pid() !== null) end(pid, signal);
      for (const until = Date.now() + patience; this.#pid() !== null && Date.now() < until; ) {
        await delay(20);
      }
    }
  }

  get #path(): string {
    return `${this.#setup.runtime}/nginx.conf`;
  }

  #pid(): number | null {
    const pid = Number(textOf(`${this.#setup.runtime}/nginx.pid`).trim());
    if (!(pid > 0)) return null;
    // If the number belongs to a later process, its command line names another configuration.
    const isOurs = textOf(`/proc/${pid}/cmdline`).includes(this.#path);
    return isOurs ? pid : null;
  }

  async #program(install: boolean): Promise<string> {
    const found = PROGRAMS.find((path) => existsSync(path));
    if (found) return found;
    await this.#install(PACKAGE, 'nginx', install);
    // The package starts a server of its own on port 80.
    spawnSync('systemctl', ['disable', '--now', 'nginx']);
    spawnSync('service', ['nginx', 'stop']);
    return await this.#program(false);
  }

  /** Path of the module that leads connections of authorities elsewhere; null = nginx contains it. */
  async #streamModule(program: string, install: boolean): Promise<string | null> {
    const { stderr } = spawnSync(program, ['-V'], { encoding: 'utf8' });
    const [, kind] = /--with-stream(=dynamic)?(?: |$)/m.exec(stderr) ?? [null, 'absent'];
    if (kind === undefined) return null;
    const [, dir = '/usr/lib/nginx/modules'] = /--modules-path=(\S+)/.exec(stderr) ?? [];
    const path = `${dir}/ngx_stream_module.so`;
    if (!existsSync(path)) {
      await this.#install(STREAM_PACKAGE, 'the stream module of nginx', install);
      if (!existsSync(path)) throw new Refused(`${STREAM_PACKAGE} has no ${path}`);
    }
    return path;
  }

  /** Paths of the modules for Lua, in their order; a text = why there are none. */
  async #luaModules(program: string, install: boolean): Promise<string[] | string> {
    const { stderr } = spawnSync(program, ['-V'], { encoding: 'utf8' });
    if (/lua-nginx-module/.test(stderr)) return [];
    const paths = PLAIN_MODULES.map((name) => `${modulesFolder(stderr)}/${name}`);
    const isThere = () => paths.every((path) => existsSync(path));
    if (isThere()) return paths;
    try {
      await this.#install(LUA_PACKAGE, 'the module of nginx for Lua', install);
    } catch (error) {
      if (error instanceof Refused) return error.message;
      throw error;
    }
    return isThere() ? paths : `${LUA_PACKAGE} has no module for this nginx`;
  }

  async #install(name: string, what: string, install: boolean): Promise<void> {
    if (!install || this.#setup.user === null) {
      throw new Refused(
        `${what} is not installed on ${hostname()}: run \`sudo apt-get install -y ${name}\` there, or start the server with DSTACK_GATEWAY_INSTALL=1`,
      );
    }
    this.#setup.log.info(`${what} is being installed`);
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    try {
      await execute('apt-get', ['update', '-q'], { env });
      await execute('apt-get', ['install', '-y', '--no-install-recommends', name], { env });
    } catch (error) {
      throw new Refused(`${what} could not be installed on ${hostname()}: ${lastLine(error)}`);
    }
  }

  /** Throws `Refused` with the program that holds a port. */
  async #freePorts({ httpPort, httpsPort }: Wanted, orphans: readonly number[]): Promise<void> {
    const ports = httpsPort === null ? [httpPort] : [httpPort, httpsPort];
    for (const port of ports) {
      let holder = portHolder(port, orphans);
      for (const end = Date.now() + 2000; holder !== null && Date.now() < end; ) {
        await delay(50);
        holder = portHolder(port, orphans);
      }
      if (holder === null) continue;
      throw new Refused(
        `Port ${port} of ${hostname()} is held by ${holder}: stop it, or choose other ports by DSTACK_GATEWAY_HTTP_PORT and DSTACK_GATEWAY_HTTPS_PORT of the server`,
      );
    }
  }

  /** Workers of a master process that was killed: they go on serving, but a crash of one is final. */
  #orphans(): number[] {
    return processesWith(`${this.#setup.runtime}/nginx-error.log`, 'nginx: worker');
  }

  async #check(program: string, path: string): Promise<void> {
    try {
      await execute(program, ['-t', '-q', '-c', path]);
    } catch (error) {
      rmSync(path, { force: true });
      throw new WrongConfiguration(`nginx refuses its configuration: ${lastLine(error)}`);
    }
  }

  async #start(program: string): Promise<void> {
    try {
      await execute(program, ['-c', this.#path]);
    } catch (error) {
      const text = lastLine(error);
      const hint = /permission denied/i.test(text)
        ? ': ports below 1024 need root; set DSTACK_GATEWAY_HTTP_PORT and DSTACK_GATEWAY_HTTPS_PORT of the server'
        : '';
      throw new Refused(`nginx does not start on ${hostname()}: ${text}${hint}`);
    }
    for (const end = Date.now() + START_MS; !this.isRunning(); await delay(10)) {
      if (Date.now() > end) throw new Error('nginx has ended right after its start');
    }
    this.#setup.log.info('nginx was started');
  }
}

function end(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended meanwhile.
  }
}

/** Whether its version is this one or a later one. */
function isFrom(program: string, wanted: readonly number[]): boolean {
  const { stderr } = spawnSync(program, ['-v'], { encoding: 'utf8' });
  const found = (/nginx\/(\d+)\.(\d+)\.(\d+)/.exec(stderr) ?? []).slice(1).map(Number);
  const at = wanted.findIndex((part, n) => found[n] !== part);
  return at === -1 || (found[at] ?? 0) > (wanted[at] ?? 0);
}

/** The error of nginx itself; a summary follows it. */
function lastLine(error: unknown): string {
  const { stderr = '', message } = error as { stderr?: string; message: string };
  const lines = (stderr.trim() || message).split('\n');
  const line = lines.find((one) => one.includes('[emerg]')) ?? lines.at(-1) ?? '';
  return line.replace(/^.*\[emerg\] (\d+#\d+: )?/, '').slice(0, 500);
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
