import type { Duplex } from 'node:stream';
import type {
  ClusterInfo,
  HostGpu,
  ImagePlan,
  JobMetrics,
  JobSpecForAgent,
  PullProgress,
} from '@dstack/contract/agent';
import type { SpoolReader } from '../spool/spool-reader.ts';
import type { SessionHost } from '../ssh/sessions/session-host.ts';
import type { JobFolder } from './job-folder.ts';
import type { ServerSocket } from './server-access.ts';

/** A job that cannot go on; `reason` is a termination reason of the wire. */
export class JobFailure extends Error {
  readonly reason: string;

  constructor(reason: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

/** A job as an executor sees it. */
export interface ExecutorJob {
  readonly spec: JobSpecForAgent;
  readonly folder: JobFolder;
  readonly cluster: ClusterInfo | null;
  /** The host's GPUs that are reserved for this job. */
  readonly gpus: readonly HostGpu[];
}

/** The account a job runs under, where it is known. */
export interface JobAccount {
  readonly username: string | null;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
  readonly shell: string | null;
  /** Groups beside the primary one, of an account that no name stands for; else those of the name. */
  readonly groups?: readonly number[] | null;
}

export interface ExecutionExit {
  readonly status: number | null;
  readonly reason: string | null;
  readonly message: string | null;
}

/** A started job. It lives on when this object is gone; `adopt` makes another one for it. */
export interface Execution {
  readonly workingDir: string | null;
  readonly account: JobAccount;
  readonly containerIp: string | null;
  /** Where its processes may listen for others, as `dial` takes it; the likeliest first. */
  readonly addresses: readonly string[];
  readonly spool: SpoolReader;
  /** Fulfilled after the spool has ended. Never rejected. */
  readonly exited: Promise<ExecutionExit>;
  /** Ctrl-C. */
  interrupt(): Promise<void>;
  /** SIGTERM to all of the job. */
  terminate(): Promise<void>;
  /** SIGKILL to all of the job. */
  kill(): Promise<void>;
  /** A connection to a port as a process of the job would make it. */
  dial(host: string, port: number): Promise<Duplex>;
  /** Why what listens there is not the job's; null when it is, or nothing does. Absent: it always is. */
  foreignListener?(address: string, port: number): string | null;
  /** For shells, commands and file transfers beside the job's own command. */
  readonly sessions: SessionHost;
  /** Null when the job has just ended or the machine gives no figures. */
  usage(): Promise<JobMetrics | null>;
  /** Lets go of it, so that this process can end while the job lives on. */
  release(): void;
}

/** A way to run jobs on this machine. */
export interface Executor {
  readonly kind: 'docker' | 'process';
  /** Whether jobs pass the phase `pulling`. */
  readonly pulls: boolean;
  /** Makes sure that the job's image is here. Throws `JobFailure`; ends early on `signal`. */
  pull(
    job: ExecutorJob,
    onProgress: (progress: PullProgress) => void,
    signal: AbortSignal,
  ): Promise<void>;
  /**
   * Starts the job, or finds it started by an earlier attempt that was cut short: after a crash it
   * is called again with the same job. Throws `JobFailure`.
   */
  start(job: ExecutorJob, signal: AbortSignal): Promise<Execution>;
  /** A job that was running when an earlier agent ended; null when nothing is left of it. */
  adopt(job: ExecutorJob): Promise<Execution | null>;
  /** Removes what an ended job has left on the machine, its folder excepted. Repeatable. */
  remove(job: ExecutorJob): Promise<void>;
  /** Where the job finds its server, `account` being the one it runs under, once that is known. */
  serverSocket(folder: JobFolder, account: JobAccount | null): ServerSocket;
  /** Why jobs cannot mount directories of the machine; null = they can. */
  whyNoMounts(): string | null;
  /** Which images the machine should have, and when they go; a hint. */
  planImages(plan: ImagePlan): void;
  /** Lets go of everything that would keep this process alive; jobs go on. */
  close(): void;
  /** Ends what carries our mark but belongs to none of these jobs. */
  sweep(known: ReadonlySet<string>): Promise<void>;
}
