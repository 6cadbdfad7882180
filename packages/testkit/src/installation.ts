import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { freePort } from './free-port.ts';
import { claimedUsers, removeClaimedUsers } from './job-users.ts';
import { copyPrograms, keepPrograms } from './kept-programs.ts';

export interface InstallationOptions {
  /** The built program, `bin/dstack`. */
  readonly dstack: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Called with each line the server prints. */
  readonly onServerLine?: (line: string) => void;
}

export interface FinishedCommand {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly input?: string;
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly onStdout?: (text: string) => void;
}

/** Variables of the caller's own installation, which must not leak into this one. */
const FOREIGN = ['DSTACK_PROJECT', 'DSTACK_SERVER_URL', 'DSTACK_TOKEN', 'DSTACK_DATABASE_URL'];

/**
 * A user's computer in one folder: a home directory, the built program, a server on a free port,
 * and everything they start. `dispose` ends and removes all of it.
 */
export class Installation {
  readonly home: string;
  readonly env: NodeJS.ProcessEnv;
  /** Called with each line the server prints. */
  onServerLine: (line: string) => void;
  /** The standard error of the last server started. */
  serverNotices = '';
  readonly #options: InstallationOptions;
  readonly #started = new Set<ChildProcess>();
  #server: ChildProcess | null = null;
  #url: string | null = null;

  constructor(options: InstallationOptions) {
    this.#options = options;
    this.onServerLine = options.onServerLine ?? (() => {});
    this.home = mkdtempSync(join(tmpdir(), 'dstack-home-'));
    this.env = { ...process.env };
    for (const name of FOREIGN) delete this.env[name];
    const own = {
      HOME: this.home,
      DSTACK_SERVER_DIR: this.serverDir,
      // For sockets: an agent that is killed leaves its socket behind.
      XDG_RUNTIME_DIR: join(this.home, 'run'),
    };
    Object.assign(this.env, own, options.env);
  }

  get serverDir(): string {
    return join(this.home, '.dstack', 'server');
  }

  /** URL of the running server. */
  get url(): string {
    if (!this.#url) throw new Error('no server is running');
    return this.#url;
  }

  get serverPid(): number {
    if (!this.#server?.pid) throw new Error('no server is running');
    return this.#server.pid;
  }

  /** Resolves when the server accepts requests. Port 0 = a free one; a restart keeps its port. */
  /** Holds the process of the server, whose connections stay open, until `run` is over. */
  async whileHeld(run: () => Promise<unknown>): Promise<void> {
    this.#server?.kill('SIGSTOP');
    try {
      await run();
    } finally {
      this.#server?.kill('SIGCONT');
    }
  }

  async startServer(...args: string[]): Promise<void> {
    const port = this.#url ? new URL(this.#url).port : String(await freePort());
    const child = this.#spawn(['server', '--port', port, '--yes', ...args], {});
    this.#server = child;
    this.serverNotices = '';
    child.stderr?.on('data', (chunk) => {
      this.serverNotices += chunk;
    });
    await new Promise<void>((ready, fail) => {
      child.on('exit', (code) =>
        fail(new Error(`server ended with ${code}: ${this.serverNotices}`)),
      );
      createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
        this.onServerLine(line);
        const found = /is running at (\S+)/.exec(line);
        if (!found) return;
        this.#url = found[1] ?? null;
        ready();
      });
    });
    copyPrograms(this.serverDir);
  }

  /** Makes a server that runs elsewhere the one of the command line. */
  async connect(url: string, token: string): Promise<void> {
    await this.ok('project', 'add', '--name', 'main', '--url', url, '--token', token, '-y');
    this.#url = url;
  }

  /** Ends the server with Ctrl-C (or the given signal) and waits for it. */
  async stopServer(signal: NodeJS.Signals = 'SIGINT'): Promise<number | null> {
    const server = this.#server;
    this.#server = null;
    if (!server || server.exitCode !== null || server.signalCode !== null) return null;
    server.kill(signal);
    const [code] = await once(server, 'exit');
    return code;
  }

  /** Runs the command line to its end. */
  async dstack(args: readonly string[], options: CommandOptions = {}): Promise<FinishedCommand> {
    const child = this.#spawn(args, options);
    let stdout = '';
    let stderr = '';
    child.stdout?.setEncoding('utf8').on('data', (chunk) => {
      stdout += chunk;
      options.onStdout?.(String(chunk));
    });
    child.stderr?.setEncoding('utf8').on('data', (chunk) => {
      stderr += chunk;
    });
    child.stdin?.end(options.input ?? '');
    const [code] = await once(child, 'close');
    return { code, stdout, stderr };
  }

  /** Like `dstack`, but rejects unless it exits with 0; returns its output. */
  async ok(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.dstack(args);
    if (code === 0) return stdout;
    const crash = this.#crash()?.message ?? '';
    throw new Error(`dstack ${args.join(' ')} ended with ${code}\n${stdout}\n${stderr}\n${crash}`);
  }

  /** Starts a command without waiting for it; it is ended together with the installation. */
  spawn(args: readonly string[], options: CommandOptions = {}): ChildProcess {
    return this.#spawn(args, options);
  }

  /** The admin's token, from the file that the server wrote for the command line. */
  token(): string {
    const text = readFileSync(join(this.home, '.dstack', 'config.yml'), 'utf8');
    const token = /token: (\S+)/.exec(text)?.[1];
    if (!token) throw new Error('config.yml has no token');
    return token;
  }

  /** Calls the HTTP API as the admin. */
  async api<T>(path: string, body?: unknown, token = this.token()): Promise<T> {
    const response = await fetch(new URL(path, this.url), {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: body === undefined ? null : JSON.stringify(body),
    }).catch((error: unknown) => {
      throw this.#crash() ?? error;
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`);
    return JSON.parse(text) as T;
  }

  /** Ids of all processes that this installation started, directly or not. */
  processes(): number[] {
    const users = new Set(claimedUsers(this.home).map(({ uid }) => uid));
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
      .map(Number)
      .filter((pid) => this.#isOurs(pid) || users.has(userOf(pid)));
  }

  async dispose(): Promise<void> {
    await this.stopServer();
    for (const child of this.#started) child.kill('SIGKILL');
    for (let pids = this.processes(); pids.length > 0; pids = this.processes()) {
      for (const pid of pids) kill(pid);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    removeClaimedUsers(this.home);
    keepPrograms(this.serverDir);
    rmSync(this.home, { recursive: true, force: true });
  }

  /** The end of a server that no test has stopped. */
  #crash(): Error | null {
    const { exitCode = null, signalCode = null } = this.#server ?? {};
    if (exitCode === null && signalCode === null) return null;
    return new Error(`the server ended with ${exitCode ?? signalCode}: ${this.serverNotices}`);
  }

  #spawn(args: readonly string[], options: CommandOptions): ChildProcess {
    const child = spawn(this.#options.dstack, args, {
      cwd: options.cwd ?? this.home,
      env: { ...this.env, ...options.env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.#started.add(child);
    // A command may end without having read its input.
    child.stdin.on('error', () => {});
    child.on('exit', () => this.#started.delete(child));
    return child;
  }

  /** The home directory is in the environment or on the command line of all its processes. */
  #isOurs(pid: number): boolean {
    try {
      return ['environ', 'cmdline'].some((file) =>
        readFileSync(`/proc/${pid}/${file}`, 'utf8').includes(this.home),
      );
    } catch {
      // It ended in the meantime, or belongs to another user.
      return false;
    }
  }
}

/** Real user id; -1 of a process that has ended. */
function userOf(pid: number): number {
  try {
    return Number(/^Uid:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? -1);
  } catch {
    return -1;
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has already ended.
  }
}
