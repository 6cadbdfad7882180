import { parseBranch, parseCommitHash, parseGitUrl } from '../grammar/git.ts';
import { MAX_PORT } from '../grammar/ports.ts';
import {
  amount,
  flag,
  type Infer,
  line,
  lineBy,
  list,
  listOrEmpty,
  mapOf,
  nullable,
  object,
  oneOf,
  text,
  textLike,
  uuid,
  whole,
} from './schema-kit.ts';
import { VolumeSource } from './volumes.ts';

/**
 * Limit of a command, the value of a variable or a secret, in characters; the kernel's own limit is
 * lower.
 */
const LONG = 1024 * 1024;
const MAX_PATH = 4096;
/** Highest id of a user or group; the one above means "no change". */
const MAX_ID = 2 ** 32 - 2;

export const RegistryAuth = object({ username: text(), password: text() });
export type RegistryAuth = Infer<typeof RegistryAuth>;

/** A directory of the host, or of a volume attached to it, that is mounted into the job. */
export const JobMount = object({
  source: line(MAX_PATH),
  target: line(MAX_PATH),
  read_only: flag,
  /** An optional mount is skipped if its source is missing; without this the job fails. */
  optional: flag,
  /** A volume, instead of `source`; a missing one fails the job. */
  volume: nullable(VolumeSource),
});
export type JobMount = Infer<typeof JobMount>;

export const JobUser = object({
  uid: nullable(whole(MAX_ID)),
  gid: nullable(whole(MAX_ID)),
  username: nullable(line(256)),
  groupname: nullable(line(256)),
});
export type JobUser = Infer<typeof JobUser>;

/** Hash of an upload, which the agent checks. */
const Sha256 = textLike(/^[0-9a-f]{64}$/, 'is not a SHA-256 hash');

export const FileArchive = object({
  /** Names a file of the agent. */
  id: textLike(/^[A-Za-z0-9_-]{1,128}$/, 'is not an archive id'),
  sha256: Sha256,
  /** Where the agent unpacks it: absolute, `~/...`, or relative to the working directory. */
  path: line(MAX_PATH),
});
export type FileArchive = Infer<typeof FileArchive>;

/** The limits of the clone of a repo; null = no limit. */
export const CloneLimits = object({
  /** The limit of its disk space, the files of Git LFS included. */
  bytes: nullable(whole()),
  seconds: nullable(amount),
});
export type CloneLimits = Infer<typeof CloneLimits>;

export const RepoForAgent = object({
  type: oneOf('remote', 'local', 'virtual'),
  dir: line(MAX_PATH),
  exists_action: nullable(oneOf('error', 'skip')),
  clone_url: nullable(lineBy(parseGitUrl)),
  branch: nullable(lineBy(parseBranch)),
  hash: nullable(lineBy(parseCommitHash)),
  single_branch: flag,
  config_name: nullable(line(1000)),
  config_email: nullable(line(1000)),
  private_key: nullable(text()),
  oauth_token: nullable(text()),
  code_sha256: nullable(Sha256),
  /** Null from older servers. */
  limits: nullable(CloneLimits),
  /** Whether pointers of Git LFS stay as they are; null from older servers, as false. */
  skip_lfs: nullable(flag),
});
export type RepoForAgent = Infer<typeof RepoForAgent>;

/** The addresses of the nodes of one replica; known only when all of them have one. */
export const ClusterInfo = object({
  job_ips: list(line(256)),
  master_job_ip: line(256),
  gpus_per_job: whole(),
  gpus_per_node: list(whole()),
  /** Public host key of each node's SSH server; null = not known, so not checked. */
  host_keys: listOrEmpty(nullable(line())),
});
export type ClusterInfo = Infer<typeof ClusterInfo>;

/** Complete argv, or lines of a shell. */
export const CommandList = list(text(LONG));

/** Public keys, each a line of a key file, perhaps with its line break. */
export const PublicKeys = list(text(16 * 1024), 1000);

/**
 * A job as the agent runs it. `id` is the id of the job submission. One `PUT` takes the job from
 * pulling to running, unless `hold` is set (a cluster: pull now, run after `start`).
 */
export const JobSpecForAgent = object({
  id: uuid,
  run_id: line(100),
  run_name: line(256),
  job_name: line(256),
  project_name: line(256),
  repo_id: nullable(line(1000)),
  job_num: whole(),
  replica_num: whole(),
  jobs_per_replica: whole(),

  /** Ignored by the process executor. */
  image_name: line(),
  registry_auth: nullable(RegistryAuth),
  privileged: flag,
  /** Null = the image's own user, root if it has none. */
  user: nullable(JobUser),
  /** Complete argv; empty = entrypoint and command of the image. */
  commands: CommandList,
  /**
   * The user's shell lines without any wrapping, for the process executor, which omits what only
   * the default image needs (the venv prologue). Null = use `commands`.
   */
  shell_commands: nullable(CommandList),
  env: mapOf(text(), text(LONG)),
  /** Null = working directory of the image (docker) or of the job's own folder (process). */
  working_dir: nullable(line(MAX_PATH)),

  network_mode: oneOf('host', 'bridge'),
  /** Cores and bytes this job may use; null = no limit. */
  cpu_limit: nullable(amount),
  memory_limit_bytes: nullable(whole()),
  shm_size_bytes: nullable(whole()),
  /** Number of GPUs; null = all that are free. */
  gpus: nullable(whole()),
  mounts: list(JobMount, 1000),
  /** Container ports that users of the job will use; the process executor checks them at start. */
  ports: list(whole(MAX_PORT)),

  repo: nullable(RepoForAgent),
  file_archives: list(FileArchive, 1000),
  /** Public keys that may log into the job, by their rights. */
  authorized_keys: object({ user: PublicKeys, project: PublicKeys, job: PublicKeys }),
  /** Private key shared by the nodes of a replica; null outside clusters. */
  job_private_key: nullable(text()),

  max_duration: nullable(amount),
  /** Seconds from the first stop signal to SIGKILL; null = never killed by time. */
  stop_duration: nullable(amount),
  /** Whether the user set `stop_duration` (SIGTERM then comes at half of it, else after 10 s). */
  stop_duration_set: flag,
  /** Lines of dstack, printed before the job's own output; null from older servers. */
  notices: nullable(list(line(), 100)),
  /** Texts masked with `***` before output touches the disk. */
  masked_values: list(text(LONG)),

  /**
   * Whether the job has a socket that leads to the server. If that socket is not at `SERVER_SOCKET`,
   * the agent replaces a `DSTACK_SERVER_URL` that names `SERVER_SOCKET`.
   */
  server_access: nullable(flag),

  /**
   * Whether what is done for the job outside its container may connect to loopback and link-local
   * addresses of the host: git that clones its repo, the pull of its image. Null: `images` alone.
   */
  host_access: nullable(object({ repos: flag, images: flag })),

  hold: flag,
  cluster: nullable(ClusterInfo),
});
export type JobSpecForAgent = Infer<typeof JobSpecForAgent>;
