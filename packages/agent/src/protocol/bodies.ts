import {
  type ClusterInfo,
  type HostShellKeys,
  type ImagePlan,
  type JobKeys,
  type JobMount,
  type JobSpecForAgent,
  type JobUser,
  Malformed,
  Problem,
  type PutVolume,
  parseBranch,
  parseCommitHash,
  parseGitUrl,
  type RegistryAuth,
  type RepoForAgent,
  read,
  type StartJob,
  type StopJob,
  type VolumeDirectory,
  type VolumePlace,
} from '@dstack/contract/agent';
import { AgentError } from './agent-error.ts';

const { amount, flag, line, list, mapOf, nullable, object, oneOf, text, uuid, whole } = read;

/** Longest command, value of a variable or secret, in characters; the kernel's own limit is lower. */
const LONG = 1024 * 1024;
const MAX_PATH = 4096;
const MAX_PORT = 65_535;
/** Highest id of a user or group; the one above means "no change". */
const MAX_ID = 2 ** 32 - 2;

/** Archive ids become file names. */
const safeName: read.Read<string> = (value, path) => {
  if (typeof value === 'string' && /^[A-Za-z0-9_-]{1,128}$/.test(value)) return value;
  throw new Malformed(path, 'is no id of an archive');
};

/** Hash of an upload, which is checked against its content. */
const sha256: read.Read<string> = (value, path) => {
  if (typeof value === 'string' && /^[0-9a-f]{64}$/.test(value)) return value;
  throw new Malformed(path, 'is no SHA-256');
};

function byGrammar(parse: (text: string) => string | Problem): read.Read<string> {
  return (value, path) => {
    const result = parse(line()(value, path));
    if (result instanceof Problem) throw new Malformed(path, result.message);
    return result;
  };
}

const commands = list(text(LONG));
const registryAuth = object<RegistryAuth>({ username: text(), password: text() });

const user = object<JobUser>({
  uid: nullable(whole(MAX_ID)),
  gid: nullable(whole(MAX_ID)),
  username: nullable(line(256)),
  groupname: nullable(line(256)),
});

const cluster = object<ClusterInfo>({
  job_ips: list(line(256)),
  master_job_ip: line(256),
  gpus_per_job: whole(),
  gpus_per_node: list(whole()),
  host_keys: (value, path) => nullable(list(nullable(line())))(value, path) ?? [],
});

/** Absolute, without `..`. */
const volumePath: read.Read<string> = (value, path) => {
  const text = line(MAX_PATH)(value, path);
  if (text.startsWith('/') && !text.split('/').includes('..')) return text;
  throw new Malformed(path, 'is no absolute path');
};

const mount = object<JobMount>({
  source: line(MAX_PATH),
  target: line(MAX_PATH),
  read_only: flag,
  optional: flag,
  volume: nullable(object<VolumeDirectory>({ id: uuid, path: nullable(volumePath) })),
});

const repo = object<RepoForAgent>({
  type: oneOf('remote', 'local', 'virtual'),
  dir: line(MAX_PATH),
  exists_action: nullable(oneOf('error', 'skip')),
  clone_url: nullable(byGrammar(parseGitUrl)),
  branch: nullable(byGrammar(parseBranch)),
  hash: nullable(byGrammar(parseCommitHash)),
  single_branch: flag,
  config_name: nullable(line(1000)),
  config_email: nullable(line(1000)),
  private_key: nullable(text()),
  oauth_token: nullable(text()),
  code_sha256: nullable(sha256),
});

/** A key as its file has it, with the end of its line. */
const keys = list(text(16 * 1024), 1000);

const jobSpec = object<JobSpecForAgent>({
  id: uuid,
  run_id: line(100),
  run_name: line(256),
  job_name: line(256),
  project_name: line(256),
  repo_id: nullable(line(1000)),
  job_num: whole(),
  replica_num: whole(),
  jobs_per_replica: whole(),
  image_name: line(),
  registry_auth: nullable(registryAuth),
  privileged: flag,
  user: nullable(user),
  commands,
  shell_commands: nullable(commands),
  env: mapOf(text(), text(LONG)),
  working_dir: nullable(line(MAX_PATH)),
  network_mode: oneOf('host', 'bridge'),
  cpu_limit: nullable(amount),
  memory_limit_bytes: nullable(whole()),
  shm_size_bytes: nullable(whole()),
  gpus: nullable(whole()),
  mounts: list(mount, 1000),
  ports: list(whole(MAX_PORT)),
  repo: nullable(repo),
  file_archives: list(object({ id: safeName, sha256, path: line(MAX_PATH) }), 1000),
  authorized_keys: object({ user: keys, project: keys, job: keys }),
  job_private_key: nullable(text()),
  max_duration: nullable(amount),
  stop_duration: nullable(amount),
  stop_duration_set: flag,
  notices: nullable(list(line(), 100)),
  masked_values: list(text(LONG)),
  server_access: nullable(flag),
  hold: flag,
  cluster: nullable(cluster),
});

/** Throws `AgentError` `bad_request` that names the field. */
export function parseJobSpec(body: unknown, id: string): JobSpecForAgent {
  const spec = checked(jobSpec, body);
  if (spec.id !== id) throw bad('id differs from the one in the path');
  return spec;
}

export function parseStart(body: unknown): StartJob {
  const fields = { cluster, commands: nullable(commands), shell_commands: nullable(commands) };
  return checked(object<StartJob>(fields), body);
}

export function parseStop(body: unknown): StopJob {
  return checked(
    object<StopJob>({ grace: flag, reason: line(100), message: nullable(text()) }),
    body,
  );
}

export function parseJobKeys(body: unknown): JobKeys {
  return checked(object<JobKeys>({ jobs: mapOf(uuid, keys) }), body);
}

/** Names of users end up in lines of `authorized_keys`. */
const userName: read.Read<string> = (value, path) => {
  if (typeof value === 'string' && /^[A-Za-z0-9_-]{1,60}$/.test(value)) return value;
  throw new Malformed(path, 'is no name of a user');
};

export function parseHostShellKeys(body: unknown): HostShellKeys {
  const key = object({ user: userName, key: line(16 * 1024) });
  return checked(object<HostShellKeys>({ keys: list(key), valid_for: amount }), body);
}

export function parseImagePlan(body: unknown): ImagePlan {
  const wanted = object({ image: line(), auth: nullable(registryAuth) });
  const policy = object({ disk_high_percent: nullable(amount), unused_for: nullable(amount) });
  return checked(object<ImagePlan>({ wanted: list(wanted, 1000), policy }), body);
}

export function parsePutVolume(body: unknown): PutVolume {
  const names = { name: line(256), project: line(256) };
  return checked(object<PutVolume>({ path: nullable(volumePath), ...names }), body);
}

export function parseVolumePlace(body: unknown): VolumePlace {
  return checked(object<VolumePlace>({ path: nullable(volumePath) }), body);
}

/** The id of a volume in a path names a directory. */
export function parseVolumeId(id: string): string {
  return checked(uuid, id);
}

function checked<T>(reader: read.Read<T>, body: unknown): T {
  try {
    return reader(body, '');
  } catch (error) {
    throw error instanceof Malformed ? bad(error.message) : error;
  }
}

function bad(problem: string): AgentError {
  return new AgentError(400, 'bad_request', `The body is not as agreed: ${problem}`);
}
