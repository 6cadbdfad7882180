import { spawn } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { PutGateway } from '@dstack/contract/agent';
import type { EventLogger } from '../host/log.ts';
import { nodeCommand, programEntry } from '../host/program-entry.ts';
import { AgentError } from '../jobs/agent-error.ts';

export interface GatewayProgramsOptions {
  readonly stateDir: string;
  /** The folder of the agent's socket; the sockets of the programs are in folders beside it. */
  readonly runtimeDir: string;
  /** Ends what the programs have left behind; their own code does it. */
  readonly log: EventLogger;
  /** Called when the first program starts, or the last one has been removed. */
  readonly onCount: () => void;
  /** For tests: the program, instead of the one beside this one. */
  readonly program?: string;
}

/** Time between two checks whether the programs run. */
const LOOK_MS = 1000;
/** A program that ends at once is not started again more often than this. */
const LEAST_MS = 1000;
/**
 * Its workers answer requests: this process has little to do and favours memory over speed, with one thread
 * for collection and compilation.
 */
const MEMORY = [
  '--max-old-space-size=512',
  '--max-semi-space-size=1',
  '--optimize-for-size',
  '--v8-pool-size=1',
];
const MAX_LOG = 10_000_000;
const LINK_MS = 10_000;
/** A program that is removed ends nginx before it ends. */
const END_MS = 15_000;
/** Until the nodes of a cluster no longer lead connections to a pod that is ending. */
const SPREAD_MS = 4000;
const LEAVE_MS = 30_000;

interface Known {
  readonly id: string;
  startedAt: number;
  /** Process that was started, and has neither written its file yet nor ended; null = none. */
  starting: number | null;
}

/** Written by the program, see `packages/gateway`. */
interface RunningProgram {
  readonly pid: number;
  /** Path of the program: another one is a newer version, which takes over. */
  readonly program: string;
}

/** The file from which a program was started, for later agents; the program does not read it. */
const FILE = '--file';

/**
 * The programs of gateways on this host. They live in sessions of their own, so that requests continue
 * when the agent ends; the next agent finds them by the files that they have written.
 */
export class GatewayPrograms {
  readonly #options: GatewayProgramsOptions;
  readonly #known = new Map<string, Known>();
  readonly #program: string;
  #timer: NodeJS.Timeout | null = null;

  constructor(options: GatewayProgramsOptions) {
    this.#options = options;
    this.#program = options.program ?? programEntry('gateway.js', '../../gateway/src/main.ts');
  }

  /** Whether there are any. */
  get hasAny(): boolean {
    return this.#known.size > 0;
  }

  /** Finds those of earlier agents, and starts what does not run or is of another version. */
  recover(): void {
    const root = join(this.#options.stateDir, 'gateways');
    if (!existsSync(root)) return;
    for (const id of readdirSync(root)) {
      if (existsSync(join(root, id, 'gateway.json'))) this.#add(id);
    }
    this.#look();
  }

  /** Repeatable. Throws `AgentError`. */
  put(id: string, label: PutGateway): void {
    if (!existsSync(this.#program)) {
      throw new AgentError(
        409,
        'no_program',
        'The agent was installed without the gateway program',
      );
    }
    mkdirSync(this.#dir(id), { recursive: true, mode: 0o700 });
    writeFileSync(join(this.#dir(id), 'gateway.json'), `${JSON.stringify(label)}\n`);
    this.#add(id);
    this.#look();
  }

  /** Resolves when the program and nginx have ended. An unknown one has ended. */
  async remove(id: string): Promise<void> {
    if (!existsSync(this.#dir(id))) return;
    this.#known.delete(id);
    rmSync(join(this.#dir(id), 'gateway.json'), { force: true });
    const pid = this.#running(id)?.pid ?? null;
    // The program ends nginx when its file was removed.
    if (pid !== null) signal(pid, 'SIGTERM');
    for (const end = Date.now() + END_MS; pid !== null && isAlive(pid); await delay(50)) {
      if (Date.now() > end) signal(pid, 'SIGKILL');
    }
    endNginx(join(this.#runtime(id), 'nginx.pid'));
    rmSync(this.#dir(id), { recursive: true, force: true });
    rmSync(this.#runtime(id), { recursive: true, force: true });
    this.#options.onCount();
  }

  /** A connection to the program. Throws `AgentError`. */
  async dial(id: string): Promise<Duplex> {
    if (!this.#known.has(id))
      throw new AgentError(404, 'unknown_gateway', 'There is no such gateway');
    for (const end = Date.now() + LINK_MS; ; await delay(50)) {
      try {
        return await connected(join(this.#runtime(id), 'link.sock'));
      } catch {
        if (Date.now() < end) continue;
        throw new AgentError(409, 'not_running', `The program does not run: ${this.#lastLine(id)}`);
      }
    }
  }

  /**
   * Before the container of this agent ends: what leads clients to it takes a moment until it sends new
   * connections elsewhere, and requests under way are answered.
   */
  async leave(): Promise<void> {
    if (!this.hasAny) return;
    await delay(SPREAD_MS);
    const pids = [...this.#known.keys()].flatMap(
      (id) => nginxOf(join(this.#runtime(id), 'nginx.pid')) ?? [],
    );
    for (const pid of pids) signal(pid, 'SIGQUIT');
    const end = Date.now() + LEAVE_MS;
    while (pids.some(isAlive) && Date.now() < end) await delay(50);
  }

  /** The programs live on. */
  close(): void {
    if (this.#timer) clearInterval(this.#timer);
    this.#known.clear();
  }

  #add(id: string): void {
    if (this.#known.has(id)) return;
    this.#known.set(id, { id, startedAt: 0, starting: null });
    this.#timer ??= setInterval(() => this.#look(), LOOK_MS).unref();
    this.#options.onCount();
  }

  #look(): void {
    for (const known of this.#known.values()) {
      const running = this.#running(known.id);
      const isPresent = running !== null && this.#isPresent(running);
      if (isPresent || running?.pid === known.starting) known.starting = null;
      if (isPresent || known.starting !== null) continue;
      if (Date.now() - known.startedAt >= LEAST_MS) this.#start(known);
    }
  }

  /**
   * An upgrade of the server's machine puts another version at the same path. The program that runs would not find the
   * files any more that it loads when they are needed: it could never renew a certificate.
   */
  #isPresent({ pid, program }: RunningProgram): boolean {
    if (program !== this.#program) return false;
    const file = fileAt(program);
    // Away: the files are just being replaced.
    return file === null || commandOf(pid).includes(`${FILE}\0${file}\0`);
  }

  #start(known: Known): void {
    known.startedAt = Date.now();
    const { id } = known;
    const dir = this.#dir(id);
    mkdirSync(this.#runtime(id), { recursive: true, mode: 0o711 });
    const path = join(dir, 'gateway.log');
    if (sizeOf(path) > MAX_LOG) truncateSync(path);
    const log = openSync(path, 'a', 0o600);
    const file = fileAt(this.#program) ?? 'none';
    const options = ['--state', dir, '--runtime', this.#runtime(id), FILE, file];
    const [node, ...args] = [...nodeCommand(), ...MEMORY, this.#program, ...options];
    const child = spawn(node ?? '', args, {
      cwd: '/',
      detached: true,
      env: {
        PATH: process.env.PATH ?? '/usr/sbin:/usr/bin:/sbin:/bin',
        HOME: '/',
        ...(process.env.DSTACK_AGENT_NODE && { DSTACK_AGENT_NODE: process.env.DSTACK_AGENT_NODE }),
      },
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    known.starting = child.pid ?? null;
    child.on('error', (error) => {
      this.#options.log.error('a gateway did not start', error, { id });
    });
    // Started again at once after a crash; one that ends by itself repeatedly waits.
    child.on('exit', (code) => {
      if (known.starting === child.pid) known.starting = null;
      this.#options.log.info('a gateway program has ended', { id, code });
      if (this.#known.has(id)) this.#look();
    });
    child.unref();
  }

  #running(id: string): RunningProgram | null {
    try {
      const found = JSON.parse(readFileSync(join(this.#runtime(id), 'program.json'), 'utf8'));
      const { pid, program } = found as RunningProgram;
      return isAlive(pid) && isOurs(pid) ? { pid, program } : null;
    } catch {
      return null;
    }
  }

  #lastLine(id: string): string {
    try {
      const text = readFileSync(join(this.#dir(id), 'gateway.log'), 'utf8').trim();
      return text.split('\n').at(-1)?.slice(0, 500) ?? '';
    } catch {
      return 'it has written no log';
    }
  }

  #dir(id: string): string {
    return join(this.#options.stateDir, 'gateways', id);
  }

  /** A short path: sockets are in it. Only its program and nginx may list it. */
  #runtime(id: string): string {
    // Started by root, nginx's workers have a user of their own, who must reach the sockets; folders of
    // sessions (XDG_RUNTIME_DIR) are closed to others.
    const base = process.getuid?.() === 0 ? '/run/dstack' : this.#options.runtimeDir;
    return `${base}-gw-${id.slice(0, 8)}`;
  }
}

/** Ends the nginx of a program that was killed. */
function endNginx(pidFile: string): void {
  const pid = nginxOf(pidFile);
  if (pid !== null) signal(pid, 'SIGTERM');
}

/** The process id of a living nginx; null = it has ended. */
function nginxOf(pidFile: string): number | null {
  try {
    const pid = Number(readFileSync(pidFile, 'utf8'));
    return commandOf(pid).includes('nginx') ? pid : null;
  } catch {
    return null;
  }
}

/** The process with this id is the program of a gateway, not one that got its number later. */
function isOurs(pid: number): boolean {
  return commandOf(pid).includes('--runtime');
}

/** Its arguments, each followed by a zero byte; nothing of a process that has ended. */
function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

/** Differs after the file was replaced, also by one of the same version; null = there is none. */
function fileAt(path: string): string | null {
  const found = statSync(path, { throwIfNoEntry: false });
  return found ? [found.ino, found.size, found.mtimeMs].join('-') : null;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended meanwhile.
  }
}

function sizeOf(path: string): number {
  return existsSync(path) ? statSync(path).size : 0;
}

function connected(path: string): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      resolve(socket);
    });
  });
}
