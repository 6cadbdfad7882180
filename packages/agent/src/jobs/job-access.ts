import type { Server } from 'node:net';
import type { Duplex } from 'node:stream';
import type { ClusterInfo, JobSpecForAgent } from '@dstack/contract/agent';
import type { Execution } from '../executor/executor.ts';
import type { JobAccount } from '../executor/job-account.ts';
import type { JobFolder } from '../executor/job-folder.ts';
import type { SpoolReader } from '../spool/spool-reader.ts';
import type { ServerAccess } from './server-access.ts';

export interface JobAccessOptions {
  /** The port before a restart, which clients already use. */
  readonly preferredPort: number | null;
  /** The port, if it is open already; it is closed with the access. */
  readonly openPort?: Server;
  readonly spec: JobSpecForAgent;
  readonly folder: JobFolder;
  /** The job has ended, so only its output is served. */
  readonly over: boolean;
  /** The other nodes; null if they are not known or the job has ended. */
  readonly cluster: ClusterInfo | null;
  /** Rejects before the job's start and after its end. */
  readonly dial: (host: string, port: number) => Promise<Duplex>;
  readonly logs: SpoolReader;
  /** Null before the job's start. */
  readonly account: () => JobAccount | null;
  /** Null before the job's start and after its end. */
  readonly execution: () => Execution | null;
  /** Resolves when the job has started, or can no longer start. */
  readonly started: Promise<void>;
}

/**
 * Access to a job for users, by its own SSH server on a loopback port, and in a cluster for its
 * other nodes.
 */
export interface JobAccess {
  readonly port: number;
  /** Milliseconds since the epoch when a user was last connected; null = never. */
  lastActivity(): number | null;
  /** Connections from the job to its server, if it has such access. */
  readonly tunnels?: Pick<ServerAccess, 'take' | 'waiting'>;
  /** Replaces the users' keys. Connections of keys that are no longer listed end. */
  authorizeUsers(keys: readonly string[]): void;
  /** The job has ended: removes the access of other nodes. */
  ended(): Promise<void>;
  close(): Promise<void>;
}

export type OpenJobAccess = (options: JobAccessOptions) => Promise<JobAccess | null>;
