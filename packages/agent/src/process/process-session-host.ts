import { accessSync, constants } from 'node:fs';
import { isAbsolute } from 'node:path';
import type { Writable } from 'node:stream';
import type { JobAccount } from '../executor/job-account.ts';
import type {
  JobRoot,
  OutputSink,
  SessionAccount,
  SessionCommand,
  SessionHost,
  SessionProcess,
} from '../executor/session-host.ts';
import { SessionRefusal, type SessionTerminal } from '../executor/session-host.ts';
import type { JobCgroup } from '../host/cgroup.ts';
import { isAlive } from '../host/process-identity.ts';
import { type Listener, listenTcp, type OnCaller } from '../network/listen.ts';
import { signalGroup } from './child-session.ts';
import { wrapCommand } from './job-command.ts';
import { type Command, runAs, type WrappedCommand } from './run-as.ts';
import { startPiped } from './start-piped.ts';
import type { JobIsolation } from './supervisor-files.ts';
import { type ControlledTerminal, openControlledTerminal, terminalKind } from './terminal.ts';

/** A job that runs as processes of this host. */
export interface ProcessJob {
  readonly account: JobAccount;
  readonly workingDir: string;
  readonly cgroup: JobCgroup;
  /** Null = the job has the rights of the agent's user. */
  readonly isolation: JobIsolation | null;
  /** The job's own variables; null if it has ended. */
  environment(): Readonly<Record<string, string>> | null;
}

/** Only root may listen on lower ports, so the agent must not do it for another user. */
const FIRST_PORT_OF_USERS = 1024;

/** How long a terminal may be quiet after its command's end before it is closed. */
const DRAIN_MS = 100;

/**
 * Sessions of a process job: processes in its control groups, with its user, directory and
 * environment.
 */
export class ProcessSessionHost implements SessionHost {
  /** A login shell would read the host's profile, which replaces the job's PATH. */
  readonly loginShell: readonly string[] = [];
  readonly #job: ProcessJob;

  constructor(job: ProcessJob) {
    this.#job = job;
  }

  get workingDir(): string {
    return this.#job.workingDir;
  }

  /**
   * A process job has no root user, and clients always log in as `root`, so that name means the
   * job's user too.
   */
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
   * The agent opens sockets with its own rights, which must not exceed the job's. A job with its
   * own user may use the sockets of that user.
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

function openFor(
  { cols, rows }: SessionTerminal,
  options: WrappedCommand,
): ControlledTerminal | null {
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
    // A background process may hold the terminal for ever, so the session ends with its shell.
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
      // The kernel reports that the last process has closed the terminal, or this class has closed
      // it.
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

  /** The kernel signals the foreground and the shell, and the shell signals its jobs. */
  hangUp(): void {
    this.#terminal.stream.destroy();
  }
}
