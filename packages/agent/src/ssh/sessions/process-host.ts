import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { isAbsolute } from 'node:path';
import type { Writable } from 'node:stream';
import type { JobAccount } from '../../jobs/executor.ts';
import { type Listener, listenTcp, type OnCaller } from '../../network/listen.ts';
import type { JobCgroup } from '../../process/cgroup.ts';
import { wrapCommand } from '../../process/job-command.ts';
import { isAlive } from '../../process/process-identity.ts';
import { type Command, runAs, type WrappedCommand } from '../../process/run-as.ts';
import type { JobIsolation } from '../../process/supervisor-files.ts';
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
  /** Null: the job is as any process of the agent's user. */
  readonly isolation: JobIsolation | null;
  /** The job's own variables; null when it has ended. */
  environment(): Readonly<Record<string, string>> | null;
}

/** Only root may listen on lower ports; the agent must not do it for another user. */
const FIRST_PORT_OF_USERS = 1024;

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
    if (login === 'root' || login === account.username) {
      return { ...account, groups: account.groups ?? null };
    }
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
    const options = this.#command(account, argv, { ...job, ...env });
    const opened = terminal && openFor(terminal, options);
    if (opened) return new TerminalProcess(opened);
    return startPiped(options, account.uid);
  }

  #command(account: SessionAccount, argv: readonly string[], env: Command['env']): WrappedCommand {
    const { cgroup, isolation, workingDir: cwd } = this.#job;
    if (account.uid === process.getuid?.() && !isolation) {
      return { before: [], argv: wrapCommand(argv, cgroup), env, cwd };
    }
    const namespaceOf = this.#namespaceOf();
    const entersAsUser = namespaceOf !== null || (isolation?.ownUser ?? false);
    const opensFiles = isolation?.opensFiles ?? false;
    const as = { account, cgroup, namespaceOf, entersAsUser, opensFiles };
    return runAs({ argv, env, cwd }, as);
  }

  root(): JobRoot | null {
    const pid = this.#namespaceOf();
    const path = pid === null ? '/' : `/proc/${pid}/root`;
    return { path, hostUid: (uid) => uid, hostGid: (gid) => gid };
  }

  /** A process in the job's namespaces; null = it has none. Throws `SessionRefusal`. */
  #namespaceOf(): number | null {
    const process = this.#job.isolation?.namespace ?? null;
    if (process !== null && !isAlive(process)) throw new SessionRefusal('The job does not run.', 1);
    return process?.pid ?? null;
  }

  /**
   * The agent opens sockets with its own rights, so these must be the rights of the job. For a job with
   * a user of its own, sockets of that user are allowed.
   */
  socketRoot(): JobRoot | null {
    const { account, isolation } = this.#job;
    const root = this.root();
    if (account.uid === process.getuid?.()) return root;
    return root && isolation?.ownUser ? { ...root, owner: account.uid } : null;
  }

  async listen(port: number, onCaller: OnCaller): Promise<Listener> {
    if (this.#job.account.uid !== 0 && port > 0 && port < FIRST_PORT_OF_USERS) {
      throw new Error(`the job's user may not listen on port ${port}`);
    }
    return await listenTcp('127.0.0.1', port, onCaller);
  }
}

function openFor({ cols, rows }: Terminal, options: WrappedCommand): ControlledTerminal | null {
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

async function startPiped(
  { before, argv, env, cwd }: WrappedCommand,
  uid: number,
): Promise<SessionProcess> {
  const [file = '/bin/sh', ...args] = [...before, ...argv];
  const pipes = await openStandardPipes(uid);
  try {
    const child = spawn(file, args, { cwd, env, detached: true, stdio: [...pipes.child] });
    return new ChildSession(child, pipes);
  } finally {
    pipes.started();
  }
}
