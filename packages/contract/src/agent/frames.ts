import * as z from 'zod/mini';
import { HostHealth } from './health.ts';
import { AgentInfo, MAX_GPUS } from './host.ts';
import { JobState } from './job-state.ts';
import { HostNotice } from './notices.ts';
import { parseFrame } from './parse-message.ts';
import {
  amount,
  byType,
  flag,
  frame,
  type Infer,
  line,
  list,
  mapOf,
  object,
  rounded,
  uuid,
  whole,
} from './schema-kit.ts';

/** Jobs in one frame; no host runs that many. */
const MAX_JOBS = 10_000;

/** Progress of one image pull. */
export const PullProgress = object({
  downloaded_bytes: rounded,
  extracted_bytes: rounded,
  total_bytes: rounded,
  /** False = the total is a lower bound so far. */
  is_total_bytes_final: flag,
});
export type PullProgress = Infer<typeof PullProgress>;

export const JobMetrics = object({
  timestamp_micro: rounded,
  cpu_usage_micro: rounded,
  memory_usage_bytes: rounded,
  memory_working_set_bytes: rounded,
  gpus: list(object({ memory_usage_bytes: rounded, util_percent: amount }), MAX_GPUS),
});
export type JobMetrics = Infer<typeof JobMetrics>;

/** Agent -> server. The order of a connection: `hello`, `sync`, then (after `resume`) the rest. */
export const AgentFrame = byType(
  frame('hello', { info: AgentInfo }),
  /**
   * Every job of the agent, without tombstones. `last` = number of the newest `state`: this frame
   * replaces all states up to it, which are not sent again.
   */
  frame('sync', { jobs: list(JobState, MAX_JOBS), last: whole() }),
  /**
   * Numbered without gaps over the life of the state directory. A lost one is repeated in the next
   * `sync`; the newest of a job is kept until its `DELETE`.
   */
  frame('state', { n: whole(), state: JobState }),
  frame('pull', { id: uuid, progress: PullProgress }),
  frame('metrics', { id: uuid, metrics: JobMetrics }),
  /** Seconds since a user was last connected to the job, for inactivity rules. */
  frame('activity', { id: uuid, no_connections_secs: rounded }),
  /**
   * A process of the job has connected to the server's socket; the connection waits until the server
   * opens `GET /v1/jobs/{id}/tunnels/{tunnel}`. Sent again at the start of each stream while it waits.
   */
  frame('tunnel', { id: uuid, tunnel: uuid }),
  /** Sent after `resume`, after each change of a result, and every few minutes to compare the clocks. */
  frame('health', HostHealth.shape),
  /** The provider takes the machine back. Sent once it is found, and after each `resume`. */
  frame('notice', HostNotice.shape),
  /** The spool has lost bytes before `offset` (rotation, full disk): the log continues there. */
  frame('gap', { id: uuid, offset: whole() }),
);
export type AgentFrame = Infer<typeof AgentFrame>;

/** Bytes of log per job. */
const LogLengths = mapOf(uuid, whole(), MAX_JOBS);

/** Server -> agent. */
export const ServerFrame = byType(
  /**
   * Answer to `sync`: the stored log bytes of each job that the server has a record of. The agent
   * sends each log from that byte on. The server deletes the jobs that are missing here.
   */
  frame('resume', { server_id: line(100), logs: LogLengths }),
  /** `states`: every `state` frame up to this number is stored. `logs`: durable length per job. */
  frame('ack', { states: z.nullish(whole()), logs: z.nullish(LogLengths) }),
  /**
   * Log bytes that the agent may send in addition to earlier credit; `INITIAL_CREDIT` comes first.
   */
  frame('credit', { id: uuid, bytes: whole() }),
  /**
   * The server has found a gap: the agent sends this log again from `offset`. The credit of the
   * repeated bytes is given back.
   */
  frame('rewind', { id: uuid, offset: whole() }),
);
export type ServerFrame = Infer<typeof ServerFrame>;

/** Null for a type that only newer agents send. Throws `Malformed`. */
export function parseAgentFrame(message: string): AgentFrame | null {
  return parseFrame(AgentFrame, message);
}

/** Null for a type that only newer servers send. Throws `Malformed`. */
export function parseServerFrame(message: string): ServerFrame | null {
  return parseFrame(ServerFrame, message);
}

/** Log bytes per job that the agent may send before the first `credit`. */
export const INITIAL_CREDIT = 1024 * 1024;

/** Longest piece of log in one binary frame. */
export const MAX_LOG_FRAME = 64 * 1024;
