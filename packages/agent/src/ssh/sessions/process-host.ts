import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { isAbsolute } from 'node:path';
import type { Writable } from 'node:stream';
import type { JobAccount } from '../../jobs/executor.ts';
import { type Listener, listenTcp, type OnCaller } from '../../network/listen.ts';
import type { JobCgroup } from '../../process/cgroup.ts';
import { wrapCommand } from '../../process/job-command.ts';
import {
  type ControlledTerminal,
  openControlledTerminal,
  terminalKind,
} from '../../process/terminal.ts';
import { SessionRefusal, type Terminal } from '../session.ts';
import { ChildSession, signalGroup } from './child-session.ts';
import type {
  JobRoot,
  OutputSink,
  SessionAccount,
  SessionCommand,
  SessionHost,
  SessionProcess,
} from './session-host.ts';
import { openStandardPipes } from './standard-pipes.ts';

/** A job that runs as processes of this machine. */
export interface ProcessJob {
  readonly account: JobAccount;
  readonly workingDir: string;
  readonly cgroup: JobCgroup;
  /** The job's own variables; null when it has ended. */
  environment(): Readonly<Record<string, string>> | null;
}

/** How long a terminal may be silent after its command's end before it is closed. */
const DRAIN_MS = 100;

/** Sessions of a process job: processes of its group, user, directory and environment. */
export class ProcessHost implements SessionHost {
  /** A login shell would read the machine's profile, which takes the job's PATH away. */
  readonly loginShell: readonly string[] = [];
  readonly #job: ProcessJob;

  constructor(job: ProcessJob) {
    this.#job = job;
  }

  get workingDir(): string {
    return this.#job.workingDir;
  }

  /** There is no root of its own, so that name, which clients always use, means the job's user too. */
  async account(login: string): Promise<SessionAccount> {
    const { account } = this.#job;
    if (login === 'root' || login === account.username) return { ...account, groups: null };
    const own = account.username ?? 'root';
    throw new SessionRefusal(`There is no user ${login} in this job; log in as ${own}.`, 1);
  }

  async has(path: string): Promise<boolean> {
    if (!isAbsolute(path)) return false;
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  }

  async start({ account, argv, env, terminal }: SessionCommand): Promise<SessionProcess> {
    const job = this.#job.environment();
    if (!job) throw new SessionRefusal('The job does not run.', 1);
    const other = account.uid === process.getuid?.() ? null : account;
    const options = {
      argv: wrapCommand(argv, this.#job.cgroup, other),
      env: { ...job, ...env },
      cwd: this.#job.workingDir,
    };
    const opened = terminal && openFor(terminal, options);
    if (opened) return new TerminalProcess(opened);
    return startPiped(options, account.uid);
  }

  root(): JobRoot | null {
    return { path: '/', hostUid: (uid) => uid, hostGid: (gid) => gid };
  }

  /** Sockets of this machine would be opened with our rights, which must be the job's own. */
  socketRoot(): JobRoot | null {
    return this.#job.account.uid === process.getuid?.() ? this.root() : null;
  }

  listen(port: number, onCaller: OnCaller): Promise<Listener> {
    return listenTcp('127.0.0.1', port, onCaller);
  }
}

interface Options {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
}

function openFor({ cols, rows }: Terminal, options: Options): ControlledTerminal | null {
  return openControlledTerminal(terminalKind(), { ...options, cols, rows });
}

class TerminalProcess implements SessionProcess {
  readonly #terminal: ControlledTerminal;

  constructor(terminal: ControlledTerminal) {
    this.#terminal = terminal;
  }

  get stdin(): Writable {
    return this.#terminal.stream;
  }

  async run(sink: OutputSink): Promise<number> {
    const { stream, exited } = this.#terminal;
    let lastOutput = 0;
    let timer: NodeJS.Timeout | undefined;
    // A background process may hold the terminal for ever; its shell's end is the session's end.
    void exited.then(() => {
      lastOutput = Date.now();
      timer = setInterval(() => {
        if (Date.now() - lastOutput >= DRAIN_MS) stream.destroy();
      }, DRAIN_MS);
    });
    try {
      for await (const bytes of stream) {
        await sink(bytes, false);
        lastOutput = Date.now();
      }
    } catch {
      // How the kernel says that the last holder of the terminal has gone, or how we have closed it.
    }
    const { status } = await exited;
    clearInterval(timer);
    stream.destroy();
    return status;
  }

  resize(cols: number, rows: number): void {
    this.#terminal.resize(cols, rows);
  }

  signal(name: string): void {
    signalGroup(this.#terminal.pid, name);
  }

  /** The kernel tells the foreground and the shell, and that its jobs. */
  hangUp(): void {
    this.#terminal.stream.destroy();
  }
}

async function startPiped({ argv, env, cwd }: Options, uid: number): Promise<SessionProcess> {
  const [file = '/bin/sh', ...args] = argv;
  const pipes = await openStandardPipes(uid);
  try {
    const child = spawn(file, args, { cwd, env, detached: true, stdio: [...pipes.child] });
    return new ChildSession(child, pipes);
  } finally {
    pipes.started();
  }
}
