import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { type Duplex, PassThrough, pipeline, type Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type Docker from 'dockerode';
import { parseGroup, parsePasswd } from '../executor/accounts.ts';
import type { JobAccount } from '../executor/job-account.ts';
import type {
  JobRoot,
  OutputSink,
  SessionAccount,
  SessionCommand,
  SessionHost,
  SessionProcess,
  SessionTerminal,
} from '../executor/session-host.ts';
import { SessionRefusal } from '../executor/session-host.ts';
import { processStat } from '../host/process-identity.ts';
import type { Listener, OnCaller } from '../network/listen.ts';
import { existsInContainer, readContainerFile } from './container-files.ts';
import { engineErrorMessage, statusOf } from './engine-error.ts';
import { FrameReader } from './frame-reader.ts';
import { readSmallFile } from './read-small-file.ts';

/** A job that runs in a container. */
export interface ContainerOfJob {
  readonly container: Docker.Container;
  readonly account: JobAccount;
  readonly workingDir: string;
  /** Its first process, as the daemon's machine numbers it. */
  readonly pid: number;
  /** Listens on its loopback. */
  listen(port: number, onCaller: OnCaller): Promise<Listener>;
}

/** The Engine reports the end of a command shortly after the end of its output. */
const EXIT_LOOKS = 40;
const EXIT_LOOK_MS = 50;
/** The Engine reports the process of a command shortly after its first output. */
const PID_LOOKS = 100;
const PID_LOOK_MS = 20;
const RESIZE_ATTEMPTS = 500;
const RESIZE_RETRY_MS = 20;
/** After this time a terminal takes input without a size. */
const SIZE_LIMIT_MS = 5000;

/** Sessions in a container, by commands that the Engine executes. */
export class DockerSessionHost implements SessionHost {
  /** The agent has extended `/etc/profile`, which restores the job's environment. */
  readonly loginShell: readonly string[] = ['-l'];
  readonly #job: ContainerOfJob;
  readonly #found = new Set<string>();

  constructor(job: ContainerOfJob) {
    this.#job = job;
  }

  get workingDir(): string {
    return this.#job.workingDir;
  }

  async account(login: string): Promise<SessionAccount> {
    const own = this.#job.account;
    const passwd = parsePasswd(await this.#read('/etc/passwd'));
    const entry = passwd.find(({ name }) => name === login);
    const groups = entry ? await this.#groups(login) : [];
    if (login === own.username) return { ...own, groups };
    if (entry) {
      const { name, uid, gid, home, shell } = entry;
      return { username: name, uid, gid, home: home || '/', shell: shell || null, groups };
    }
    // Clients use this name whatever the image has.
    if (login === 'root') {
      return { username: null, uid: 0, gid: 0, home: '/', shell: null, groups: [] };
    }
    throw new SessionRefusal(`There is no user ${login} in this job's image.`, 1);
  }

  async has(path: string): Promise<boolean> {
    // A program that was found once is not looked up again, because this precedes every command.
    if (!this.#found.has(path) && (await existsInContainer(this.#job.container, path))) {
      this.#found.add(path);
    }
    return this.#found.has(path);
  }

  async start({ account, argv, env, terminal }: SessionCommand): Promise<SessionProcess> {
    const { container, workingDir } = this.#job;
    const Tty = terminal !== null;
    const io = { AttachStdin: true, AttachStdout: true, AttachStderr: true, Tty };
    const size = terminal ? { ConsoleSize: [terminal.rows, terminal.cols] } : {};
    try {
      const exec = await container.exec({
        ...io,
        Cmd: [...argv],
        Env: Object.entries(env).map(([name, value]) => `${name}=${value}`),
        WorkingDir: workingDir,
        // The Engine finds the user's groups by the name.
        User: account.username ?? `${account.uid}:${account.gid}`,
      });
      const options = { hijack: true, stdin: true, Tty, ...size } as Docker.ExecStartOptions;
      const stream = await exec.start(options);
      return new ExecProcess(exec, stream, terminal, this.#job.pid);
    } catch (error) {
      const status = statusOf(error);
      if (status === null) throw error;
      if (status === 404 || status === 409) throw new SessionRefusal('The job does not run.', 1);
      throw new SessionRefusal(`The command cannot be started: ${engineErrorMessage(error)}`, 127);
    }
  }

  root(): JobRoot | null {
    const { pid } = this.#job;
    try {
      const path = `/proc/${pid}/root`;
      statSync(`${path}/`);
      const [uids, gids] = [idMap(pid, 'uid'), idMap(pid, 'gid')];
      return { path, hostUid: (id) => hostId(uids, id), hostGid: (id) => hostId(gids, id) };
    } catch {
      // The process has ended, runs on another machine, or may not be read.
      return null;
    }
  }

  /** Everyone who may log in may become root in the container, so this grants no new right. */
  socketRoot(): JobRoot | null {
    return this.root();
  }

  listen(port: number, onCaller: OnCaller): Promise<Listener> {
    return this.#job.listen(port, onCaller);
  }

  /**
   * Through the container's root directory where it is accessible, because the Engine needs 20 ms
   * per file.
   */
  async #read(path: string): Promise<string> {
    const root = this.root();
    return root
      ? readSmallFile(root, path)
      : ((await readContainerFile(this.#job.container, path)) ?? '');
  }

  async #groups(login: string): Promise<number[]> {
    return parseGroup(await this.#read('/etc/group'))
      .filter(({ members }) => members.includes(login))
      .map(({ gid }) => gid);
  }
}

class ExecProcess implements SessionProcess {
  readonly stdin: Writable;
  readonly #exec: Docker.Exec;
  readonly #stream: Duplex;
  readonly #tty: boolean;
  readonly #init: number;
  #ended = false;
  #size = { h: 0, w: 0 };
  #resizing: Promise<void> | null = null;

  constructor(
    exec: Docker.Exec,
    stream: Duplex,
    terminal: Pick<SessionTerminal, 'cols' | 'rows'> | null,
    init: number,
  ) {
    this.#exec = exec;
    this.#stream = stream;
    this.#tty = terminal !== null;
    this.#init = init;
    stream.on('error', () => {});
    this.stdin = terminal ? this.#inputOnceSized(terminal) : stream;
  }

  async run(sink: OutputSink): Promise<number> {
    const frames = new FrameReader();
    try {
      for await (const data of this.#stream as AsyncIterable<Buffer>) {
        if (this.#tty) await sink(data, false);
        else for (const { bytes, isError } of frames.read(data)) await sink(bytes, isError);
      }
    } catch {
      // The connection was cut. The Engine still reports whether and how the command has ended.
    }
    this.#ended = true;
    return this.#exitCode();
  }

  /**
   * Engines before API 1.42 ignore `ConsoleSize`, and a size reaches them by another connection than
   * the input. So the input waits for the size, or the first command would see a terminal of no size.
   */
  #inputOnceSized({ cols, rows }: Pick<SessionTerminal, 'cols' | 'rows'>): Writable {
    const input = new PassThrough();
    const limit = delay(SIZE_LIMIT_MS, undefined, { ref: false });
    void Promise.race([this.#firstSize(cols, rows), limit]).then(() => {
      // The end of the command is reported by its output.
      if (this.#stream.writable) pipeline(input, this.#stream, () => {});
      else input.destroy();
    });
    return input;
  }

  async #firstSize(cols: number, rows: number): Promise<void> {
    this.resize(cols, rows);
    await this.#resizing;
    // The Engine may have accepted the size before the terminal existed, and lost it.
    await this.#knownPid().catch(() => null);
    this.resize(this.#size.w, this.#size.h);
    await this.#resizing;
  }

  resize(cols: number, rows: number): void {
    this.#size = { h: rows, w: cols };
    this.#resizing ??= this.#applySize();
  }

  /** One at a time, the newest last. The Engine refuses sizes until the command has started. */
  async #applySize(): Promise<void> {
    for (let attempt = 0; attempt < RESIZE_ATTEMPTS && !this.#ended; attempt++) {
      const size = this.#size;
      try {
        await this.#exec.resize(size);
        if (size === this.#size) break;
      } catch {
        await delay(RESIZE_RETRY_MS);
      }
    }
    this.#resizing = null;
  }

  signal(name: string): void {
    void this.#pid().then((pid) => {
      if (pid !== null) send(-pid, `SIG${name}`);
    });
  }

  /** The Engine ends no command by itself. The output is still read, or the command would block. */
  hangUp(): void {
    if (this.#ended) return;
    if (!this.#tty) {
      this.#stream.end();
      return;
    }
    void this.#pid().then((pid) => {
      if (pid !== null) hangUpSession(pid);
      this.#stream.destroy();
    });
  }

  async #exitCode(): Promise<number> {
    for (let look = 0; look < EXIT_LOOKS; look++) {
      const { Running, ExitCode } = await this.#exec.inspect();
      if (!Running && ExitCode !== null) return ExitCode;
      await delay(EXIT_LOOK_MS);
    }
    return 255;
  }

  /**
   * Null when it has ended, or when the number has no meaning here (rootless and remote daemons).
   */
  async #pid(): Promise<number | null> {
    try {
      const pid = await this.#knownPid();
      if (pid === null) return null;
      const namespace = readlinkSync(`/proc/${pid}/ns/pid`);
      return namespace === readlinkSync(`/proc/${this.#init}/ns/pid`) ? pid : null;
    } catch {
      return null;
    }
  }

  async #knownPid(): Promise<number | null> {
    for (let look = 0; look < PID_LOOKS; look++) {
      const { Running, Pid } = await this.#exec.inspect();
      if (!Running) return null;
      if (Pid > 0) return Pid;
      await delay(PID_LOOK_MS);
    }
    return null;
  }
}

/** All processes that the command has started in its terminal. */
function hangUpSession(leader: number): void {
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || processStat(pid)?.session !== leader) continue;
    send(pid, 'SIGHUP');
    // A stopped process would not receive the signal.
    send(pid, 'SIGCONT');
  }
}

function send(pid: number, signal: string): void {
  try {
    process.kill(pid, signal as NodeJS.Signals);
  } catch {
    // The process has ended, or the client sent an unknown signal.
  }
}

interface IdRange {
  readonly inside: number;
  readonly outside: number;
  readonly count: number;
}

function idMap(pid: number, kind: 'uid' | 'gid'): IdRange[] {
  const lines = readFileSync(`/proc/${pid}/${kind}_map`, 'utf8').trim().split('\n');
  return lines.map((line) => {
    const [inside = 0, outside = 0, count = 0] = line.trim().split(/\s+/).map(Number);
    return { inside, outside, count };
  });
}

function hostId(ranges: readonly IdRange[], id: number): number {
  const range = ranges.find(({ inside, count }) => id >= inside && id < inside + count);
  if (!range) throw new SessionRefusal(`The user ${id} does not exist outside of the job.`, 1);
  return range.outside + id - range.inside;
}
