import type { AgentInfo, JobState } from './commands.ts';
import type { HostHealth } from './health.ts';

/** Bytes of one image pull; `is_total_bytes_final` false = the total is a lower bound so far. */
export interface PullProgress {
  readonly downloaded_bytes: number;
  readonly extracted_bytes: number;
  readonly total_bytes: number;
  readonly is_total_bytes_final: boolean;
}

export interface JobMetrics {
  readonly timestamp_micro: number;
  readonly cpu_usage_micro: number;
  readonly memory_usage_bytes: number;
  readonly memory_working_set_bytes: number;
  readonly gpus: readonly { readonly memory_usage_bytes: number; readonly util_percent: number }[];
}

/** Agent -> server. The order of a connection: `hello`, `sync`, then (after `resume`) the rest. */
export type AgentFrame =
  | { readonly type: 'hello'; readonly info: AgentInfo }
  /**
   * Every job the agent knows, tombstones left out. `last` = number of the newest `state`: this frame
   * stands for all states up to it, which are not sent again.
   */
  | { readonly type: 'sync'; readonly jobs: readonly JobState[]; readonly last: number }
  /**
   * Numbered without gaps over the life of the state directory. One that is lost with a connection
   * comes again in the next `sync`; the newest of a job is kept until its `DELETE`.
   */
  | { readonly type: 'state'; readonly n: number; readonly state: JobState }
  | { readonly type: 'pull'; readonly id: string; readonly progress: PullProgress }
  | { readonly type: 'metrics'; readonly id: string; readonly metrics: JobMetrics }
  /** Seconds since a user was last connected to the job, for inactivity rules. */
  | { readonly type: 'activity'; readonly id: string; readonly no_connections_secs: number }
  /**
   * A process of the job has connected to the server's socket; the connection waits until the server
   * opens `GET /v1/jobs/{id}/tunnels/{tunnel}`. Sent again at the start of each stream while it waits.
   */
  | { readonly type: 'tunnel'; readonly id: string; readonly tunnel: string }
  /** After `resume`, whenever a result changes, and every few minutes, so that the clocks are compared. */
  | ({ readonly type: 'health' } & HostHealth)
  /** The spool has lost bytes before `offset` (rotation, full disk): the log goes on from there. */
  | { readonly type: 'gap'; readonly id: string; readonly offset: number };

/** Server -> agent. */
export type ServerFrame =
  /**
   * Answer to `sync`: how many log bytes the server has stored of each job it knows. The agent
   * sends each log from there on. Jobs left out are unknown to the server, which will delete them.
   */
  | {
      readonly type: 'resume';
      readonly server_id: string;
      readonly logs: Readonly<Record<string, number>>;
    }
  /** `states`: every `state` frame up to this number is stored. `logs`: durable length per job. */
  | {
      readonly type: 'ack';
      readonly states?: number;
      readonly logs?: Readonly<Record<string, number>>;
    }
  /** Bytes of log the agent may send beyond what it was granted before; start value below. */
  | { readonly type: 'credit'; readonly id: string; readonly bytes: number }
  /**
   * A gap was found: send this log again from `offset`. The bytes sent in vain are given back to the
   * credit.
   */
  | { readonly type: 'rewind'; readonly id: string; readonly offset: number };

/** Log bytes per job that may be under way before the first `credit`. */
export const INITIAL_CREDIT = 1024 * 1024;

/** Longest piece of log in one binary frame. */
export const MAX_LOG_FRAME = 64 * 1024;
