import type { Duplex } from 'node:stream';
import type {
  ClusterInfo,
  HostFault,
  HostGpu,
  ImagePlan,
  JobMetrics,
  JobSpecForAgent,
  PullProgress,
} from '@dstack/contract/agent';
import type { CheckFinding } from '../host/health/check.ts';
import type { SpoolReader } from '../spool/spool-reader.ts';
import type { JobAccount } from './job-account.ts';
import type { JobFolder } from './job-folder.ts';
import type { ServerSocket } from './server-socket.ts';
import type { SessionHost } from './session-host.ts';

/** The part of a job that an executor needs. */
export interface ExecutorJob {
  readonly spec: JobSpecForAgent;
  readonly folder: JobFolder;
  readonly cluster: ClusterInfo | null;
  /** The host's GPUs that are reserved for this job. */
  readonly gpus: readonly HostGpu[];
}

export interface ExecutionExit {
  readonly status: number | null;
  readonly reason: string | null;
  readonly message: string | null;
  /** Set if the host, not the job, has failed. */
  readonly host_fault?: HostFault;
}

/** A started job. It continues without this object; `adopt` creates a new one for it. */
export interface Execution {
  readonly workingDir: string | null;
  readonly account: JobAccount;
  readonly containerIp: string | null;
  /** Addresses on which its processes may listen, as `dial` takes them; the likeliest first. */
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
  /**
   * Replaces the text of the file that `DSTACK_PREEMPTION_FILE` names; empty = there is no notice.
   */
  writeNotice(text: string): Promise<void>;
  /** That text, which the job may have changed; also after the job has ended. */
  readNotice(): Promise<string>;
  /** Connects to a port as a process of the job would. */
  dial(host: string, port: number): Promise<Duplex>;
  /**
   * Why the listener at this address is not the job's; null if it is, or if there is none. Absent =
   * every listener is the job's.
   */
  foreignListener?(address: string, port: number): string | null;
  /** Shells, commands and file transfers beside the job's own command. */
  readonly sessions: SessionHost;
  /** Null if the job has just ended or the host provides no figures. */
  usage(): Promise<JobMetrics | null>;
  /** Releases the job, so that this process can end while the job continues. */
  release(): void;
}

/** The longest time for which a check of an executor waits for an answer, in milliseconds. */
export const EXECUTOR_CHECK_MS = 15_000;

/** The ids of the jobs that the agent has at the moment. */
export type KnownJobs = Pick<ReadonlySet<string>, 'has'>;

/** Runs jobs on this host. */
export interface Executor {
  readonly kind: 'docker' | 'process';
  /** Whether jobs pass the phase `pulling`. */
  readonly pulls: boolean;
  /** Ensures that the job's image is present. Throws `JobFailure`; ends early on `signal`. */
  pull(
    job: ExecutorJob,
    onProgress: (progress: PullProgress) => void,
    signal: AbortSignal,
  ): Promise<void>;
  /**
   * Starts the job, or adopts one that an interrupted attempt has started: after a crash it is
   * called again with the same job. Throws `JobFailure`. `onSlow` receives what it has been waiting for
   * on the host's side, and null once that has come.
   */
  start(
    job: ExecutorJob,
    signal: AbortSignal,
    onSlow: (awaited: string | null) => void,
  ): Promise<Execution>;
  /**
   * Adopts a job that was running when an earlier agent ended; null if nothing is left of it. Throws
   * `JobUnknown` if the host cannot say that now.
   */
  adopt(job: ExecutorJob): Promise<Execution | null>;
  /** Removes everything that an ended job has left on the host, except its folder. Repeatable. */
  remove(job: ExecutorJob): Promise<void>;
  /** The socket of the job's server. `account` is the job's, once it is known. */
  serverSocket(folder: JobFolder, account: JobAccount | null): ServerSocket;
  /** Why jobs cannot mount directories of the host; null = they can. */
  whyNoMounts(): string | null;
  /** A hint about the images that the host should have, and when to remove images. */
  planImages(plan: ImagePlan): void;
  /**
   * Whether the host can start jobs now; null where nothing needs to be checked. Ends within
   * `EXECUTOR_CHECK_MS`.
   */
  check(): Promise<CheckFinding | null>;
  /** Releases everything that would keep this process alive. Jobs continue. */
  close(): void;
  /**
   * Ends everything that this agent has started but that belongs to none of these jobs, which may become
   * more meanwhile. What the host cannot end soon is ended later.
   */
  sweep(known: KnownJobs): Promise<void>;
}
