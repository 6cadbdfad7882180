import * as z from 'zod/mini';
import { MAX_PORT } from '../grammar/ports.ts';
import {
  flag,
  type Infer,
  line,
  list,
  messageText,
  nullable,
  object,
  oneOf,
  optional,
  uuid,
  whole,
} from './schema-kit.ts';

/**
 * Phases only go forward:
 * accepted (waits for uploads) -> preparing -> pulling -> held -> starting -> running -> exited.
 */
export const JobPhase = oneOf(
  'accepted',
  'preparing',
  'pulling',
  'held',
  'starting',
  'running',
  'exited',
);
export type JobPhase = Infer<typeof JobPhase>;

export const StopStage = oneOf('interrupt', 'terminate', 'kill');
export type StopStage = Infer<typeof StopStage>;

/**
 * Why a host, not the job, has failed; a closed list for agents of this version. Servers take a word that
 * they do not know as a fault of the host too.
 */
export const HOST_FAULTS = [
  /** No program answers at the address of the container engine. */
  'daemon_unreachable',
  /** The container engine takes requests and does not answer them in time. */
  'daemon_hung',
  /** The container engine ended, and its containers with it. */
  'daemon_stopped',
  /** Another program removed the job's container. */
  'container_removed',
  /** The agent finds nothing of the job that it had started. */
  'job_lost',
  /** The part of the engine that runs containers fails: containerd, its shims, runc, control groups. */
  'runtime',
  /** The engine cannot give containers a network. */
  'network',
  /** A device of the job, or the driver or runtime that gives it to containers, is missing. */
  'devices',
  /** The storage of images and containers fails. */
  'storage',
  'no_space',
  /** The host has no further process, memory or open file available. */
  'no_resources',
] as const;
export type HostFault = (typeof HOST_FAULTS)[number];

export const JobExit = object({
  /** Exit code of the process, 128 + n if a signal ended it, null if it never ran. */
  status: nullable(whole(2 ** 31 - 1)),
  /**
   * `JobTerminationReason` of the wire if the agent has found one; null for a plain exit or a stop.
   */
  reason: nullable(line(100)),
  message: nullable(messageText()),
  /** One of `HOST_FAULTS` if the host, not the job, has failed; absent or null otherwise. */
  host_fault: optional(line(64)),
});
export type JobExit = Infer<typeof JobExit>;

/** The complete state of a job, sent after every change. */
export const JobState = object({
  id: uuid,
  /** Incremented with each change. */
  seq: whole(),
  phase: JobPhase,
  /** Loopback port of the job's own SSH server, from `starting` on. */
  ssh_port: nullable(whole(MAX_PORT, 1)),
  working_dir: nullable(line()),
  username: nullable(line(256)),
  stop_stage: nullable(StopStage),
  /** Why the agent ends the job; missing from older agents. */
  stop_reason: z.nullish(line(100)),
  /** What a start has been waiting for on its host; null or missing if for nothing, or not for long. */
  waits_for: z.nullish(line(200)),
  exit: nullable(JobExit),
  /** Bytes of output in the spool. Final once `phase` is `exited`. */
  log_end: whole(),
  /** Address of the job's container on the host's network; null if it has none. */
  container_ip: nullable(line(64)),
});
export type JobState = Infer<typeof JobState>;

/** The first state of a job: the agent has taken it, and nothing else has happened. */
export function acceptedJob(id: string): JobState {
  return {
    ...{ id, seq: 1 },
    phase: 'accepted',
    ...{ ssh_port: null, working_dir: null, username: null, container_ip: null },
    ...{ stop_stage: null, exit: null, log_end: 0 },
  };
}

export const PutJobAnswer = object({
  state: JobState,
  /** Archives (ids) and code that must be uploaded before the job goes on. */
  missing: object({ archives: list(line(128)), code: flag }),
});
export type PutJobAnswer = Infer<typeof PutJobAnswer>;
