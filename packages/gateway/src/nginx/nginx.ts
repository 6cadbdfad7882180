import { execFile, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import {
  connectionsOf,
  findNginx,
  isNginxFrom,
  luaFolder,
  luaModules,
  modulesFolder,
  NginxProcess,
  NginxRefusal,
  nginxBuild,
  type PlainOptions,
  type ProxyLog,
  plainSocket,
  portHolder,
  programError,
  removeOtherLua,
  WrongConfiguration,
} from '@dstack/proxy';
import { clientSocket, type NginxOptions, nginxConfiguration } from './configuration.ts';

const execute = promisify(execFile);
/** Without `ngx_http_v2_module` and TLS there is no gateway; Debian's smallest package has both. */
const PACKAGE = 'nginx-light';
/** For challenges by tls-alpn-01 alone. */
const STREAM_PACKAGE = 'libnginx-mod-stream';
/** For requests that nginx answers itself. */
const LUA_PACKAGE = 'libnginx-mod-http-lua';
/** Setting of the network namespace: connections that wait at a closed listener move to another one. */
const MOVE_WAITING = '/proc/sys/net/ipv4/tcp_migrate_req';

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

/** The nginx of a gateway: its program, its modules, its ports and its configuration. */
export class Nginx {
  readonly #setup: NginxSetup;
  readonly #process: NginxProcess;

  constructor(setup: NginxSetup) {
    this.#setup = setup;
    this.#process = new NginxProcess(setup.runtime, setup.log);
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
   * the one before. Without its module for Lua nginx leaves all requests to the workers. Throws `NginxRefusal`.
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
        hasHttp2Directive: isNginxFrom(program, [1, 25, 1]),
        hasCertificateCache: isNginxFrom(program, [1, 27, 4]),
        hasIpv6: existsSync('/proc/net/if_inet6'),
      });
    const found = plainTimeoutMs === null ? null : await this.#luaModules(program, install);
    if (plainTimeoutMs === null || typeof found === 'string') {
      await this.#run(program, wanted, textWith(null));
      return { notPlain: found as string | null };
    }
    const folder = luaFolder(this.#setup.runtime);
    if (!this.isRunning()) removeOtherLua(this.#setup.runtime, folder);
    // Before connections of authorities, nginx takes all connections without knowing what is asked on them.
    const bounded = wanted.acmeSocket === null && { connections: connectionsOf() };
    const plain = { modules: found ?? [], folder, timeoutMs: plainTimeoutMs, ...bounded };
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

  async #run(program: string, wanted: Wanted, configuration: string): Promise<void> {
    const { runtime } = this.#setup;
    const run = () =>
      this.#process.run({
        ...{ program, configuration },
        sockets: [clientSocket(runtime), plainSocket(runtime)],
        beforeStart: async (orphans) => {
          await this.#freePorts(wanted, orphans);
          this.#keepWaiting();
        },
      });
    const withAdvice = (error: unknown) => {
      throw error instanceof NginxRefusal ? aboutPorts(error) : error;
    };
    const again = (error: unknown) => {
      if (error instanceof NginxRefusal || this.isRunning()) throw error;
      // It was killed while it was to take over its configuration.
      return run();
    };
    await run().catch(again).catch(withAdvice);
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
    return this.#process.isRunning;
  }

  /** Waits for requests under way, but not for long. */
  async stop(): Promise<void> {
    await this.#process.stop();
  }

  async #program(install: boolean): Promise<string> {
    const found = findNginx();
    if (found) return found;
    await this.#install(PACKAGE, 'nginx', install);
    // The package starts a server of its own on port 80.
    spawnSync('systemctl', ['disable', '--now', 'nginx']);
    spawnSync('service', ['nginx', 'stop']);
    return await this.#program(false);
  }

  /** Path of the module that leads connections of authorities elsewhere; null = nginx contains it. */
  async #streamModule(program: string, install: boolean): Promise<string | null> {
    const build = nginxBuild(program);
    const [, kind] = /--with-stream(=dynamic)?(?: |$)/m.exec(build) ?? [null, 'absent'];
    if (kind === undefined) return null;
    const path = `${modulesFolder(build)}/ngx_stream_module.so`;
    if (!existsSync(path)) {
      await this.#install(STREAM_PACKAGE, 'the stream module of nginx', install);
      if (!existsSync(path)) throw new NginxRefusal(`${STREAM_PACKAGE} has no ${path}`);
    }
    return path;
  }

  /** Paths of the modules for Lua, in their order; a text = why there are none. */
  async #luaModules(program: string, install: boolean): Promise<string[] | string> {
    const found = luaModules(program);
    if (found !== null) return found;
    try {
      await this.#install(LUA_PACKAGE, 'the module of nginx for Lua', install);
    } catch (error) {
      if (error instanceof NginxRefusal) return error.message;
      throw error;
    }
    return luaModules(program) ?? `${LUA_PACKAGE} has no module for this nginx`;
  }

  async #install(name: string, what: string, install: boolean): Promise<void> {
    if (!install || this.#setup.user === null) {
      throw new NginxRefusal(
        `${what} is not installed on ${hostname()}: run \`sudo apt-get install -y ${name}\` there, or start the server with DSTACK_GATEWAY_INSTALL=1`,
      );
    }
    this.#setup.log.info(`${what} is being installed`);
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    try {
      await execute('apt-get', ['update', '-q'], { env });
      await execute('apt-get', ['install', '-y', '--no-install-recommends', name], { env });
    } catch (error) {
      throw new NginxRefusal(
        `${what} could not be installed on ${hostname()}: ${programError(error)}`,
      );
    }
  }

  /** Throws `NginxRefusal` with the program that holds a port. */
  async #freePorts({ httpPort, httpsPort }: Wanted, orphans: readonly number[]): Promise<void> {
    const ports = httpsPort === null ? [httpPort] : [httpPort, httpsPort];
    for (const port of ports) {
      let holder = portHolder(port, orphans);
      for (const end = Date.now() + 2000; holder !== null && Date.now() < end; ) {
        await delay(50);
        holder = portHolder(port, orphans);
      }
      if (holder === null) continue;
      throw new NginxRefusal(heldPort(port, holder));
    }
  }
}

const heldPort = (port: number, holder: string) =>
  `Port ${port} of ${hostname()} is held by ${holder}: stop it, or choose other ports by DSTACK_GATEWAY_HTTP_PORT and DSTACK_GATEWAY_HTTPS_PORT of the server`;

/** The refusal with what to do about a port that nginx could not bind. */
function aboutPorts(refusal: NginxRefusal): NginxRefusal {
  const { message } = refusal;
  const [, port, why] = /bind\(\) to \S+:(\d+) failed \((.*)\)/.exec(message) ?? [];
  if (port === undefined || why === undefined) return refusal;
  if (/permission denied/i.test(why)) {
    return new NginxRefusal(
      `${message}: ports below 1024 need root; set DSTACK_GATEWAY_HTTP_PORT and DSTACK_GATEWAY_HTTPS_PORT of the server`,
      { cause: refusal },
    );
  }
  const holder = portHolder(Number(port));
  if (holder === null) return refusal;
  return new NginxRefusal(heldPort(Number(port), holder), { cause: refusal });
}
