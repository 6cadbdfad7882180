/** Bodies of the requests that a server sends to an agent. Sizes are bytes, durations seconds. */

/** The protocol versions this code speaks; server and agent use the highest common one. */
export const PROTOCOL = { min: 1, max: 1 } as const;

/** Who is asking: an agent belongs to one server until another takes it over. */
export interface AgentInfo {
  readonly version: string;
  /** Abilities that older agents lack; see `FEATURES`. */
  readonly features?: readonly string[];
  readonly protocol: { readonly min: number; readonly max: number };
  /** Id of the server that owns this agent, null before the first one connected. */
  readonly server_id: string | null;
  readonly executor: 'docker' | 'process';
  readonly host: HostFacts;
}

/**
 * `server-access`: jobs may reach the API of the server (`JobSpecForAgent.server_access`). `volumes`:
 * the agent keeps directories for volumes (`JobMount.volume`).
 */
export const FEATURES = ['server-access', 'volumes'] as const;

/** Path of the server's socket in containers. Process jobs each get a path of their own. */
export const SERVER_SOCKET = '/run/dstack/server.sock';

/** The URL of a server at a unix socket, as clients of dstack read it. */
export function socketUrl(path: string): string {
  return `http+unix://${encodeURIComponent(path)}`;
}

/** What the agent found out about its machine. */
export interface HostFacts {
  readonly hostname: string;
  readonly arch: 'x86' | 'arm';
  readonly cpus: number;
  readonly memory_bytes: number;
  /** Free bytes where images and jobs live; 0 = unknown. */
  readonly disk_bytes: number;
  /** In CIDR form, loopback left out. */
  readonly addresses: readonly string[];
  readonly gpus: readonly HostGpu[];
  readonly gpu_driver: string | null;
  /** Public key (`<type> <base64>`) of the agent's SSH servers; older agents do not tell it. */
  readonly ssh_host_key?: string | null;
}

export interface HostGpu {
  readonly vendor: 'nvidia' | 'amd' | 'intel' | 'tenstorrent';
  readonly name: string;
  readonly memory_mib: number;
  /** What the runtime calls this device: UUID, render node or index. */
  readonly id: string;
}

export interface RegistryAuth {
  readonly username: string;
  readonly password: string;
}

/** Which images a host should have before a job asks for them, and when images go. */
export interface ImagePlan {
  /** Pulled one after the other while no job pulls; never removed. */
  readonly wanted: readonly { readonly image: string; readonly auth: RegistryAuth | null }[];
  readonly policy: ImagePolicy;
}

/** Only images that the agent itself has pulled ever go, and none that a job uses. */
export interface ImagePolicy {
  /** Use of the disk in percent from which on images go, the longest unused first; null = never. */
  readonly disk_high_percent: number | null;
  /** Seconds after its last use when an image goes; null = never. */
  readonly unused_for: number | null;
}

/** A directory of the host, or a volume already attached to it, seen inside the job. */
export interface JobMount {
  readonly source: string;
  readonly target: string;
  readonly read_only: boolean;
  /** A missing optional source is left out instead of failing the job. */
  readonly optional: boolean;
  /** The directory of a volume, instead of `source`; a missing one fails the job. */
  readonly volume?: VolumeDirectory | null;
}

/** A directory that the agent keeps for the server. */
export interface VolumeDirectory {
  /** Id of the volume: name of the directory. */
  readonly id: string;
  /** Directory of a file system that several hosts share; null = the agent's own state. */
  readonly path: string | null;
}

/** Body of `PUT`; a directory that exists is left as it is. */
export interface PutVolume {
  readonly path: string | null;
  /** For people who look at the directory. */
  readonly name: string;
  readonly project: string;
}

/** Body of the other commands on a volume. */
export interface VolumePlace {
  readonly path: string | null;
}

export interface VolumeState {
  /** Bytes on the disk; null = not measured yet. Measured now and then, at most every ten minutes. */
  readonly used_bytes: number | null;
}

export interface VolumeRemoval {
  /** False: it is being deleted; the command is to be repeated. */
  readonly deleted: boolean;
}

export interface JobUser {
  readonly uid?: number | null;
  readonly gid?: number | null;
  readonly username?: string | null;
  readonly groupname?: string | null;
}

export interface FileArchive {
  readonly id: string;
  readonly sha256: string;
  /** Where it is unpacked: absolute, `~/...`, or relative to the working directory. */
  readonly path: string;
}

/** How nodes of one replica find each other; known only when all of them have an address. */
export interface ClusterInfo {
  readonly job_ips: readonly string[];
  readonly master_job_ip: string;
  readonly gpus_per_job: number;
  readonly gpus_per_node: readonly number[];
  /** Public host key of each node's SSH server; null or left out = not known, so not checked. */
  readonly host_keys?: readonly (string | null)[];
}

/**
 * A job as the agent runs it. `id` is the job submission's id; it names the job everywhere.
 * A `PUT` takes it from pulling to running without a further word, unless `hold` is set
 * (a cluster: pull now, run after `start`).
 */
export interface JobSpecForAgent {
  readonly id: string;
  readonly run_id: string;
  readonly run_name: string;
  readonly job_name: string;
  readonly project_name: string;
  readonly repo_id: string | null;
  readonly job_num: number;
  readonly replica_num: number;
  readonly jobs_per_replica: number;

  /** Ignored by the process executor. */
  readonly image_name: string;
  readonly registry_auth: RegistryAuth | null;
  readonly privileged: boolean;
  /** Null = the image's own user, root if it has none. */
  readonly user: JobUser | null;
  /** Complete argv; empty = entrypoint and command of the image. */
  readonly commands: readonly string[];
  /**
   * The user's shell lines before any wrapping, for the process executor, which runs them without
   * what the default image needs (no venv prologue). Null = use `commands`.
   */
  readonly shell_commands: readonly string[] | null;
  readonly env: Readonly<Record<string, string>>;
  /** Null = working directory of the image (docker) or of the job's own folder (process). */
  readonly working_dir: string | null;

  readonly network_mode: 'host' | 'bridge';
  /** Cores and bytes this job may use; null = no limit. */
  readonly cpu_limit: number | null;
  readonly memory_limit_bytes: number | null;
  readonly shm_size_bytes: number | null;
  /** Number of GPUs; null = all that are free. */
  readonly gpus: number | null;
  readonly mounts: readonly JobMount[];
  /** Container ports that users of the job will reach; the process executor checks them at start. */
  readonly ports: readonly number[];

  readonly repo: RepoForAgent | null;
  readonly file_archives: readonly FileArchive[];
  /** Public keys (one line each) that may log into the job, by what they may do. */
  readonly authorized_keys: {
    readonly user: readonly string[];
    readonly project: readonly string[];
    readonly job: readonly string[];
  };
  /** Private key shared by the nodes of a replica; null outside clusters. */
  readonly job_private_key: string | null;

  readonly max_duration: number | null;
  /** Seconds from the first stop signal to SIGKILL; null = never killed by time. */
  readonly stop_duration: number | null;
  /** Whether the user set `stop_duration` (SIGTERM then comes at half of it, else after 10 s). */
  readonly stop_duration_set: boolean;
  /** Lines that dstack prints before the job's own output. Older servers send none. */
  readonly notices?: readonly string[] | null;
  /** Texts masked with `***` before output touches the disk. */
  readonly masked_values: readonly string[];

  /**
   * Whether the job has a socket that leads to the server. If that socket is not at `SERVER_SOCKET`,
   * the agent replaces a `DSTACK_SERVER_URL` that names `SERVER_SOCKET`.
   */
  readonly server_access?: boolean | null;

  readonly hold: boolean;
  readonly cluster: ClusterInfo | null;
}

export interface RepoForAgent {
  readonly type: 'remote' | 'local' | 'virtual';
  readonly dir: string;
  readonly exists_action: 'error' | 'skip' | null;
  readonly clone_url: string | null;
  readonly branch: string | null;
  readonly hash: string | null;
  readonly single_branch: boolean;
  readonly config_name: string | null;
  readonly config_email: string | null;
  readonly private_key: string | null;
  readonly oauth_token: string | null;
  readonly code_sha256: string | null;
}

/**
 * Public keys (one line each) that may log in to jobs, by job id. They replace the keys of these jobs;
 * connections of keys that are no longer listed end. Other jobs keep their keys; unknown job ids are
 * ignored.
 */
export interface JobKeys {
  readonly jobs: Readonly<Record<string, readonly string[]>>;
}

/**
 * Public keys (one line each) that open a shell on the host itself. They replace the keys sent
 * before, and expire after `valid_for` seconds unless they are sent again.
 */
export interface HostShellKeys {
  readonly keys: readonly { readonly user: string; readonly key: string }[];
  readonly valid_for: number;
}

/** `missing`: archives (ids) and code that must be uploaded before the job goes on. */
export interface PutJobAnswer {
  readonly state: JobState;
  readonly missing: { readonly archives: readonly string[]; readonly code: boolean };
}

export interface StartJob {
  readonly cluster: ClusterInfo;
  /** Commands with addresses of other nodes filled in; null = as they were put. */
  readonly commands: readonly string[] | null;
  /** The same for the lines of the process executor. */
  readonly shell_commands?: readonly string[] | null;
}

/**
 * `grace` true: Ctrl-C, SIGTERM, SIGKILL in stages; false: SIGKILL at once. A stop without grace
 * overtakes one with grace. `reason` becomes the job's termination reason unless it already has one.
 */
export interface StopJob {
  readonly grace: boolean;
  readonly reason: string;
  readonly message: string | null;
}

/**
 * Phases only go forward:
 * accepted (waits for uploads) -> preparing -> pulling -> held -> starting -> running -> exited.
 */
export type JobPhase =
  | 'accepted'
  | 'preparing'
  | 'pulling'
  | 'held'
  | 'starting'
  | 'running'
  | 'exited';

export type StopStage = 'interrupt' | 'terminate' | 'kill';

export interface JobExit {
  /** Exit code of the process, 128 + n when a signal ended it, null if it never ran. */
  readonly status: number | null;
  /** `JobTerminationReason` of the wire where the agent knows it; null for a plain exit or a stop. */
  readonly reason: string | null;
  readonly message: string | null;
}

/** The whole truth about a job, sent as often as it changes. `seq` rises by one with each change. */
export interface JobState {
  readonly id: string;
  readonly seq: number;
  readonly phase: JobPhase;
  /** Loopback port of the job's own SSH server, from `starting` on. */
  readonly ssh_port: number | null;
  readonly working_dir: string | null;
  readonly username: string | null;
  readonly stop_stage: StopStage | null;
  readonly exit: JobExit | null;
  /** Bytes of output in the spool. Final once `phase` is `exited`. */
  readonly log_end: number;
  /** Address of the job's container on the host's network, if it has one. */
  readonly container_ip: string | null;
}
