import type { Duplex } from 'node:stream';
import type { ClusterInfo, JobSpecForAgent } from '@dstack/contract/agent';
import type { Execution } from '../executor/executor.ts';
import type { JobAccount } from '../executor/job-account.ts';
import type { JobFolder } from '../executor/job-folder.ts';
import type { SpoolReader } from '../spool/spool-reader.ts';
import type { ServerAccess } from './server-access.ts';

export interface JobAccessOptions {
  /** The port that clients already know, after a restart. */
  readonly preferredPort: number | null;
  readonly spec: JobSpecForAgent;
  readonly folder: JobFolder;
  /** The job has ended: only its output is still of interest. */
  readonly over: boolean;
  /** The other nodes, where they are known and the job is not over. */
  readonly cluster: ClusterInfo | null;
  /** Rejects while the job has not started and after its end. */
  readonly dial: (host: string, port: number) => Promise<Duplex>;
  readonly logs: SpoolReader;
  /** Null before the job has started. */
  readonly account: () => JobAccount | null;
  /** Null before the job has started and after its end. */
  readonly execution: () => Execution | null;
  /** Fulfilled when the job has started, or never will. */
  readonly started: Promise<void>;
}

/**
 * How users get into a job: its own SSH server on a loopback port; in a cluster, how its other nodes
 * do.
 */
export interface JobAccess {
  readonly port: number;
  /** Milliseconds since the epoch when a user was last connected; null = never yet. */
  lastActivity(): number | null;
  /** Connections from the job to its server, where it has such access. */
  readonly tunnels?: Pick<ServerAccess, 'take' | 'waiting'>;
  /** Replaces the users' keys; connections by keys that are not among them any more end. */
  authorizeUsers(keys: readonly string[]): void;
  /** The job is over: other nodes have no business in it any more. */
  ended(): Promise<void>;
  close(): Promise<void>;
}

export type OpenJobAccess = (options: JobAccessOptions) => Promise<JobAccess | null>;
