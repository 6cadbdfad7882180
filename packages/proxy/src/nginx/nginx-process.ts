/** The life of an nginx of our own, beside one that the computer may have. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { hostname } from 'node:os';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { ProxyLog } from '../log.ts';
import { reloadNginx } from './nginx-reload.ts';
import { processesWith } from './port-holders.ts';

/** nginx does not run until a person changes something. */
export class NginxRefusal extends Error {
  override name = 'NginxRefusal';
}

/** It goes on with the configuration before this one, if there is one. */
export class WrongConfiguration extends NginxRefusal {}

export interface NginxRun {
  /** Path of the program. */
  readonly program: string;
  /** Its configuration: `pid` is `nginx.pid` and `error_log` is `nginx-error.log`, in the folder. */
  readonly configuration: string;
  /** Unix sockets at which it listens: a master process that was killed has left them. */
  readonly sockets: readonly string[];
  /**
   * Called if it does not run, before it is started. `orphans`: workers of a master process that was killed,
   * which still listen.
   */
  readonly beforeStart?: (orphans: readonly number[]) => Promise<void>;
  /**
   * A descriptor of this process at which it is to listen, if it is started: that of a socket with an address
   * of its configuration. One that runs already has it.
   */
  readonly listener?: number;
  /** Its environment; this process's own by default. */
  readonly env?: NodeJS.ProcessEnv;
}

const execute = promisify(execFile);
const START_MS = 5000;
/** For requests under way when it is stopped; an agent that removes a gateway waits 15 seconds for all of it. */
const LEAVE_MS = 8000;
/** In the new process, the number of a descriptor that it inherits. */
const INHERITED = 3;

/** It outlives this process; the next one finds it by the files of its folder. */
export class NginxProcess {
  readonly #folder: string;
  readonly #log: ProxyLog;

  /** `folder`: absolute, without spaces and quotes. It has all files of this nginx. */
  constructor(folder: string, log: ProxyLog) {
    this.#folder = folder;
    this.#log = log;
  }

  get isRunning(): boolean {
    return this.#pid !== null;
  }

  /** Whether it has its addresses: also by workers whose master process was killed. */
  get isListening(): boolean {
    return this.isRunning || this.#orphans.length > 0;
  }

  /**
   * Makes it run with this configuration, which is checked first. Throws `NginxRefusal`; any other error if it has ended
   * meanwhile: run it again.
   */
  async run(wanted: NginxRun): Promise<void> {
    const { configuration, sockets, beforeStart } = wanted;
    const { isRunning } = this;
    const isSame = !existsSync(this.#before) && textOf(this.#path) === configuration;
    if (isRunning && isSame) return;
    const orphans = isRunning ? [] : this.#orphans;
    if (!isRunning) await beforeStart?.(orphans);
    if (!isSame) await this.#write(wanted);
    const pid = this.#pid;
    if (pid !== null) {
      await this.#reload(pid);
      return;
    }
    // At these, new connections are for the next one: orphans get none any more.
    for (const path of sockets) rmSync(path, { force: true });
    await this.#start(wanted);
    rmSync(this.#before, { force: true });
    // They shared the addresses until now, and finish their requests.
    for (const orphan of orphans) end(orphan, 'SIGQUIT');
  }

  /** Its addresses are free at once. Waits for requests under way, but not for long (`patience`, in milliseconds). */
  async stop(patience = LEAVE_MS): Promise<void> {
    const pid = this.#pid;
    for (const orphan of pid === null ? this.#orphans : []) end(orphan, 'SIGTERM');
    if (pid === null) return;
    for (const [signal, ms] of [
      ['SIGQUIT', patience],
      ['SIGTERM', START_MS],
    ] as const) {
      if (this.isRunning) end(pid, signal);
      for (const until = Date.now() + ms; this.isRunning && Date.now() < until; ) {
        await delay(20);
      }
    }
  }

  get #path(): string {
    return `${this.#folder}/nginx.conf`;
  }

  /** The configuration that nginx has, while it is not known to have taken over the one at `#path`. */
  get #before(): string {
    return `${this.#path}.before`;
  }

  get #errorLog(): string {
    return `${this.#folder}/nginx-error.log`;
  }

  get #pid(): number | null {
    const pid = Number(textOf(`${this.#folder}/nginx.pid`).trim());
    if (!(pid > 0)) return null;
    // If the number belongs to a later process, its command line names another configuration.
    const isOurs = textOf(`/proc/${pid}/cmdline`).includes(this.#path);
    return isOurs ? pid : null;
  }

  /** Workers of a master process that was killed: they go on serving, but a crash of one is final. */
  get #orphans(): number[] {
    return processesWith(this.#errorLog, 'nginx: worker');
  }

  async #write(wanted: NginxRun): Promise<void> {
    const { configuration } = wanted;
    const next = `${this.#path}.new`;
    writeFileSync(next, configuration, { mode: 0o600 });
    try {
      await this.#check(wanted, next);
    } catch (error) {
      rmSync(next, { force: true });
      throw new WrongConfiguration(`nginx refuses its configuration: ${programError(error)}`);
    }
    // Should this process be killed before nginx has it, the next one must not believe that it has.
    if (this.isRunning && !existsSync(this.#before)) {
      writeFileSync(this.#before, textOf(this.#path), { mode: 0o600 });
    }
    renameSync(next, this.#path);
  }

  /** The check cannot see everything: another program may have an address. */
  async #reload(pid: number): Promise<void> {
    const refusal = await reloadNginx({ pid, errorLog: this.#errorLog });
    if (refusal === null) {
      rmSync(this.#before, { force: true });
      this.#log.info('nginx was reloaded');
      return;
    }
    renameSync(this.#before, this.#path);
    const Kind = refusal.startsWith('bind()') ? NginxRefusal : WrongConfiguration;
    throw new Kind(`nginx goes on with its configuration before this one: ${refusal}`);
  }

  /** It binds the addresses: one that is in use is no fault, but one that this user may not bind is. */
  async #check(wanted: NginxRun, path: string): Promise<void> {
    const { program, listener, env = process.env } = wanted;
    if (listener === undefined) {
      await execute(program, ['-t', '-q', '-c', path], { env });
      return;
    }
    const child = inheriting(wanted, ['-t', '-q', '-c', path], listener);
    const shown = text(child.stderr as Socket);
    const [code] = await once(child, 'close');
    if (code !== 0)
      throw Object.assign(new Error(`it ended with ${code}`), { stderr: await shown });
  }

  async #start(wanted: NginxRun): Promise<void> {
    const { program, listener, env = process.env } = wanted;
    try {
      if (listener === undefined) await execute(program, ['-c', this.#path], { env });
      else await this.#startWith(wanted, listener);
    } catch (error) {
      throw new NginxRefusal(`nginx does not start on ${hostname()}: ${programError(error)}`);
    }
    for (const until = Date.now() + START_MS; !this.isRunning; await delay(10)) {
      if (Date.now() > until) throw new Error('nginx has ended right after its start');
    }
    this.#log.info('nginx was started');
  }

  /** Then it stays a child of this process, in a session of its own. */
  async #startWith(wanted: NginxRun, listener: number): Promise<void> {
    const child = inheriting(wanted, ['-c', this.#path], listener);
    const stderr = child.stderr as Socket;
    let shown = '';
    stderr.setEncoding('utf8').on('data', (more: string) => {
      shown += more;
    });
    await once(child, 'spawn');
    const closed = once(child, 'close').then(() => true);
    for (const until = Date.now() + START_MS; !this.isRunning; ) {
      const hasEnded = await Promise.race([closed, delay(10, false)]);
      if (hasEnded) throw Object.assign(new Error('it has ended'), { stderr: shown });
      if (Date.now() < until) continue;
      child.kill('SIGKILL');
      throw new Error(`it was not ready after ${START_MS / 1000} seconds`);
    }
    child.unref();
    stderr.unref();
  }
}

/** nginx takes over the socket in the way in which one version of it hands its own to the next one. */
function inheriting(
  { program, env = process.env }: NginxRun,
  args: readonly string[],
  listener: number,
): ChildProcess {
  return spawn(program, [...args], {
    env: { ...env, NGINX: `${INHERITED};` },
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe', listener],
  });
}

function end(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended meanwhile.
  }
}

/** The error of a program itself, at most one line; nginx writes a summary after it. */
export function programError(error: unknown): string {
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
