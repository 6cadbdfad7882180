import { rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { JobMetrics } from '@dstack/contract/agent';
import type { Execution, ExecutionExit } from '../executor/executor.ts';
import type { JobAccount } from '../executor/job-account.ts';
import { INTERRUPTED } from '../executor/job-failure.ts';
import type { SessionHost } from '../executor/session-host.ts';
import { removeCgroup } from '../host/cgroup.ts';
import { nowMicros } from '../host/clock.ts';
import { isAlive } from '../host/process-identity.ts';
import { type JobTree, killTree, terminatePids, treePids } from '../host/process-tree.ts';
import { cgroupUsage, processUsage } from '../host/usage.ts';
import { dialTcp } from '../network/dial.ts';
import { readLines } from '../network/json-lines.ts';
import { listenAddress } from '../network/listen-address.ts';
import { listenersAt, tcpListeners } from '../network/listeners.ts';
import { FileSpoolReader } from '../spool/file-spool-reader.ts';
import { jobEnviron } from './job-environ.ts';
import { readNoticeFile, writeNoticeFile } from './notice-file.ts';
import { ProcessSessionHost } from './process-session-host.ts';
import type {
  ExitRecord,
  SupervisorFiles,
  SupervisorMessage,
  SupervisorRecord,
} from './supervisor-files.ts';

const RECONNECT_MS = 200;

/** A job that a supervisor runs. The agent has a connection to the supervisor, and its files. */
export class ProcessExecution implements Execution {
  readonly containerIp = null;
  readonly spool: FileSpoolReader;
  readonly exited: Promise<ExecutionExit>;
  readonly #id: string;
  readonly #files: SupervisorFiles;
  readonly #noticeFile: string;
  readonly #exit = Promise.withResolvers<ExecutionExit>();
  #record: SupervisorRecord;
  #socket: Socket | null = null;
  #retry: NodeJS.Timeout | null = null;
  #released = false;
  #cpuSeen = 0;
  #seenEnvironment: Readonly<Record<string, string>> | null = null;

  constructor(id: string, files: SupervisorFiles, record: SupervisorRecord, noticeFile: string) {
    this.#noticeFile = noticeFile;
    this.#id = id;
    this.#files = files;
    this.#record = record;
    this.spool = new FileSpoolReader(files.spool);
    this.exited = this.#exit.promise;
    this.#connect();
  }

  get addresses(): readonly string[] {
    const own = listenAddress(this.#id);
    return own === null ? ['localhost'] : [own, 'localhost'];
  }

  get workingDir(): string {
    return this.#record.cwd;
  }

  get account(): JobAccount {
    return this.#record.account;
  }

  async interrupt(): Promise<void> {
    this.#socket?.write(`${JSON.stringify({ interrupt: true })}\n`);
  }

  async terminate(): Promise<void> {
    terminatePids(treePids(this.#tree()));
  }

  async kill(): Promise<void> {
    await killTree(this.#tree());
  }

  async writeNotice(text: string): Promise<void> {
    writeNoticeFile(this.#noticeFile, text);
  }

  async readNotice(): Promise<string> {
    return readNoticeFile(this.#noticeFile);
  }

  dial(host: string, port: number): Promise<Duplex> {
    return dialTcp(host, port);
  }

  /**
   * Process jobs share the ports of the host. A connection for one job must not reach another job
   * that has taken its port.
   */
  foreignListener(address: string, port: number): string | null {
    // Its control groups are known only after it has started.
    this.#tree();
    const { account, isolation } = this.#record;
    if (!isolation?.ownUser) return null;
    const ours = [account.uid, process.getuid?.()];
    const other = listenersAt(address, port, tcpListeners()).find(({ uid }) => !ours.includes(uid));
    return other ? `a process that is not of the job listens at ${address}` : null;
  }

  /** A session has the same environment as the job. */
  get sessions(): SessionHost {
    const environment = () => this.#environment();
    // Its control groups and session are known only after it has started.
    this.#tree();
    const { account, cwd: workingDir, cgroup, isolation = null } = this.#record;
    return new ProcessSessionHost({ account, workingDir, cgroup, isolation, environment });
  }

  /**
   * The environment is not on disk. Keep the first one read, since a command may overwrite its own.
   */
  #environment(): Readonly<Record<string, string>> | null {
    this.#tree();
    const { leader } = this.#record;
    if (!leader || !isAlive(leader)) return null;
    this.#seenEnvironment = jobEnviron(leader.pid, this.#id) ?? this.#seenEnvironment;
    return this.#seenEnvironment;
  }

  async usage(): Promise<JobMetrics | null> {
    const tree = this.#tree();
    const usage = cgroupUsage(tree.cgroup) ?? processUsage(treePids(tree));
    this.#cpuSeen = Math.max(this.#cpuSeen, usage.cpu_usage_micro);
    return { ...usage, cpu_usage_micro: this.#cpuSeen, timestamp_micro: nowMicros(), gpus: [] };
  }

  release(): void {
    this.#released = true;
    if (this.#retry) clearTimeout(this.#retry);
    this.#socket?.destroy();
  }

  #tree(): JobTree {
    if (!this.#record.leader) this.#record = this.#files.readSupervisor() ?? this.#record;
    const { leader, cgroup, isolation, account } = this.#record;
    const uid = isolation?.ownUser ? account.uid : null;
    return { id: this.#id, leader, cgroup, uid };
  }

  #connect(): void {
    const socket = connect(this.#record.socket);
    this.#socket = socket;
    readLines(socket, (line) => this.#onMessage(JSON.parse(line)));
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#onClose());
  }

  #onMessage(message: SupervisorMessage): void {
    if (this.#seenEnvironment === null) this.#environment();
    if ('end' in message) this.spool.grew(message.end);
  }

  /** The supervisor has ended the job, has died, or is just starting. */
  #onClose(): void {
    this.#socket = null;
    if (this.#released) return;
    const exit = this.#files.readExit();
    if (exit) {
      this.#finish(exitOf(exit));
    } else if (isAlive(this.#record.supervisor)) {
      this.#retry = setTimeout(() => this.#connect(), RECONNECT_MS);
    } else {
      void this.#afterSupervisorDeath();
    }
  }

  async #afterSupervisorDeath(): Promise<void> {
    const tree = this.#tree();
    await killTree(tree);
    rmSync(this.#record.socket, { force: true });
    // It may have written the exit between the two reads.
    const exit = this.#files.readExit();
    this.#finish(exit ? exitOf(exit) : exitOfUnsupervised(tree.leader !== null));
  }

  #finish(exit: ExecutionExit): void {
    removeCgroup(this.#record.cgroup);
    this.spool.finish();
    this.#exit.resolve(exit);
  }
}

/** Without a record of how the command ended. `began`: it has run, if only for a moment. */
function exitOfUnsupervised(began: boolean): ExecutionExit {
  return began
    ? {
        status: null,
        reason: INTERRUPTED,
        message: 'The process that supervised the job was killed',
      }
    : {
        status: null,
        reason: 'executor_error',
        message: 'The process that supervises the job was killed',
      };
}

/** Exit status of a command that was killed, or whose last process was. */
const KILLED = 137;

/** Where jobs share a control group, the memory may have been short for another one. */
function exitOf({ status, error, outOfMemory = false }: ExitRecord): ExecutionExit {
  if (error !== null) return { status, reason: 'executor_error', message: error };
  return outOfMemory && status === KILLED
    ? { status, reason: 'container_exited_with_error', message: 'Out of memory' }
    : { status, reason: null, message: null };
}
