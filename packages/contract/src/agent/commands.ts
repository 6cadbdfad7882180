/** Bodies of the requests that a server sends to an agent. Sizes are bytes, durations seconds. */
import { ClusterInfo, CommandList, PublicKeys, RegistryAuth } from './job-spec.ts';
import {
  amount,
  flag,
  type Infer,
  line,
  list,
  mapOf,
  messageText,
  nullable,
  object,
  text,
  textLike,
  uuid,
} from './schema-kit.ts';

/** Applies only to images that the agent itself has pulled and that no job uses. */
export const ImagePolicy = object({
  /**
   * Disk use in percent from which images are removed, the least recently used first; null = never.
   */
  disk_high_percent: nullable(amount),
  /** Seconds after its last use when an image is removed; null = never. */
  unused_for: nullable(amount),
});
export type ImagePolicy = Infer<typeof ImagePolicy>;

/** The images that a host should have before a job needs them, and when images are removed. */
export const ImagePlan = object({
  /** Pulled one at a time while no job pulls; never removed. */
  wanted: list(object({ image: line(), auth: nullable(RegistryAuth) }), 1000),
  policy: ImagePolicy,
});
export type ImagePlan = Infer<typeof ImagePlan>;

/**
 * Before a public key of a job: it opens ports of the job, and no session. Agents that do not
 * know it leave the key out.
 */
export const FORWARDS_ONLY = 'restrict,port-forwarding ';

/**
 * Public keys (one line each) that may log in to jobs, by job id. They replace the keys of these
 * jobs; connections of keys that are no longer listed end. Other jobs keep their keys. Unknown job
 * ids are ignored.
 */
export const JobKeys = object({ jobs: mapOf(uuid, PublicKeys) });
export type JobKeys = Infer<typeof JobKeys>;

/** Names of users are written into lines of `authorized_keys`. */
const UserName = textLike(/^[A-Za-z0-9_-]{1,60}$/, 'is not a user name');

/**
 * Public keys (one line each) that open a shell on the host itself. They replace the keys sent
 * before, and expire after `valid_for` seconds unless they are sent again.
 */
export const HostShellKeys = object({
  keys: list(object({ user: UserName, key: line(16 * 1024) })),
  valid_for: amount,
});
export type HostShellKeys = Infer<typeof HostShellKeys>;

export const StartJob = object({
  cluster: ClusterInfo,
  /** Commands with the addresses of other nodes filled in; null = as in the spec. */
  commands: nullable(CommandList),
  /** The same for the lines of the process executor. */
  shell_commands: nullable(CommandList),
});
export type StartJob = Infer<typeof StartJob>;

/** A stop without grace replaces one with grace. */
export const StopJob = object({
  /** True: Ctrl-C, SIGTERM, SIGKILL in stages; false: SIGKILL at once. */
  grace: flag,
  /** Becomes the job's termination reason unless it already has one. */
  reason: line(100),
  message: nullable(text()),
});
export type StopJob = Infer<typeof StopJob>;

/**
 * The job has to leave its host, at `ends_in` seconds from now. It goes on until Ctrl-C, at `interrupt_in`;
 * SIGTERM follows `TERMINATE_AFTER` seconds later, and SIGKILL at the end, whatever `stop_duration` is. An
 * order with the `id` of the present notice changes nothing; one with another id replaces the notice
 * until Ctrl-C.
 */
export const NoticeJob = object({
  id: line(100),
  /** Becomes the job's termination reason if its process ends after Ctrl-C. */
  reason: line(100),
  message: nullable(text()),
  interrupt_in: amount,
  ends_in: amount,
});
export type NoticeJob = Infer<typeof NoticeJob>;

/** Seconds from Ctrl-C to SIGTERM. */
export const TERMINATE_AFTER = 10;

/**
 * A job whose process exits with 0 after Ctrl-C of a notice, having written this word into the file of the
 * notice, is done: it does not run again.
 */
export const DONE_WORD = 'done';

/** The body of an answer other than success: `code` is for programs, `message` for people. */
export const AgentErrorBody = object({ code: messageText(100), message: messageText() });
export type AgentErrorBody = Infer<typeof AgentErrorBody>;
