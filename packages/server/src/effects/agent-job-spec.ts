import type { RegistryAuth } from '@dstack/contract';
import {
  type CloneLimits,
  type ClusterInfo,
  type JobMount,
  type JobSpecForAgent,
  type RepoForAgent,
  SERVER_SOCKET,
  socketUrl,
  type VolumeSource,
} from '@dstack/contract/agent';
import { splitImageName } from '@dstack/contract/image-name';
import type { JobSpec } from '@dstack/contract/wire';
import {
  type InstanceRecord,
  type JobRecord,
  LOCAL_PROCESS_INSTANCE,
  type RunRecord,
  unescapeReferences,
} from '@dstack/core';
import { isJobContainer } from './container-jobs.ts';
import { JobSpecError, NamedSecrets } from './named-secrets.ts';

/** Credentials for a remote repo, as the user who started the run sent them. */
export interface RepoCreds {
  readonly clone_url: string;
  readonly private_key: string | null;
  readonly oauth_token: string | null;
}

/** All inputs of a job's start on its host. Secrets are in clear text only here. */
export interface AgentJobInput {
  readonly run: RunRecord;
  readonly job: JobRecord;
  readonly instance: InstanceRecord;
  readonly projectName: string;
  readonly projectPublicKey: string;
  /** Public keys of the run's owner. */
  readonly userKeys: readonly string[];
  /** Private key for the other nodes of the job's replica; null outside clusters. */
  readonly nodeKey: string | null;
  readonly secrets: Readonly<Record<string, string>>;
  readonly repoCreds: RepoCreds | null;
  /** SHA-256 of each archive, by id. */
  readonly archiveHashes: Readonly<Record<string, string>>;
  /** `env` of an SSH fleet; the job's own variables override it. */
  readonly fleetEnv: Readonly<Record<string, string>>;
  /** Where a worker of Dynamo finds its router; null for other jobs. */
  readonly routerAddress: string | null;
  /** The user's lines without wrapping; null if the image's own command runs. */
  readonly shellCommands: readonly string[] | null;
  readonly defaultRegistry: string | null;
  /** The token for access to the API (`dstack: true`); null = no access. */
  readonly token: string | null;
  readonly hold: boolean;
  /** Whether git of a job in a container may connect to the loopback of its host. */
  readonly loopback: boolean;
  /** Limits for cloning the job's repo. */
  readonly cloneLimits: CloneLimits;
  readonly cluster: ClusterInfo | null;
  /** One for each mount of a named volume, in their order. */
  readonly volumes: readonly MountedVolume[];
}

export interface MountedVolume {
  readonly name: string;
  readonly volume: VolumeSource;
  readonly readOnly: boolean;
}

/** Bytes in a GB of a specification: GB there means GiB, as everywhere in the language. */
const GB = 2 ** 30;

export function agentJobSpec(input: AgentJobInput): JobSpecForAgent {
  const { run, job } = input;
  const spec = job.spec;
  const secrets = new NamedSecrets(input.secrets);
  const env = jobEnv(input, secrets);
  const auth = filledAuth(spec.registry_auth ?? null, secrets);
  const stopDuration =
    run.spec.configuration.stop_duration ?? run.spec.profile?.stop_duration ?? null;
  return {
    id: job.id,
    run_id: run.id,
    run_name: run.name,
    job_name: job.name,
    project_name: input.projectName,
    repo_id: run.spec.repo_id ?? null,
    job_num: job.jobNum,
    replica_num: job.replicaNum,
    jobs_per_replica: spec.jobs_per_replica,
    image_name: imageName(spec, input.defaultRegistry),
    registry_auth: auth,
    privileged: spec.privileged,
    user: userOf(input),
    ...commandsOf(input),
    env,
    working_dir: spec.working_dir ?? null,
    ...share(job),
    shm_size_bytes: bytes(spec.requirements.resources.shm_size ?? null),
    // Where the backend has made the container, it has made the mounts as well.
    mounts: isJobContainer(input.instance) ? [] : mounts(spec, input.volumes),
    ports: (spec.app_specs ?? []).map((app) => app.port),
    repo: repo(input),
    file_archives: spec.file_archives.map((archive) => ({
      id: archive.id,
      path: archive.path,
      sha256: required(input.archiveHashes[archive.id], `uploaded archive ${archive.id}`),
    })),
    authorized_keys: {
      user: input.userKeys,
      project: [input.projectPublicKey],
      job: spec.ssh_key ? [spec.ssh_key.public] : [],
    },
    job_private_key: input.nodeKey,
    max_duration: spec.max_duration ?? null,
    stop_duration: spec.stop_duration ?? null,
    stop_duration_set: stopDuration !== null,
    notices: null,
    masked_values: secrets.maskedWith([input.token, ...repoSecrets(input)]),
    server_access: input.token !== null,
    host_access: { repos: input.loopback, images: true },
    hold: input.hold,
    cluster: input.cluster,
  };
}

/** The addresses of a held job come with its start. */
function commandsOf({ job, hold, shellCommands }: AgentJobInput) {
  const ready = hold ? (commands: readonly string[]) => commands : unescapeReferences;
  return {
    commands: ready(job.spec.commands),
    shell_commands: shellCommands && ready(shellCommands),
  };
}

/** A process job has no image, so the image's user does not apply. */
function userOf({ run, job, instance }: AgentJobInput): JobSpec['user'] | null {
  const isProcess = instance.offer?.instance.name === LOCAL_PROCESS_INSTANCE;
  return isProcess && !run.spec.configuration.user ? null : (job.spec.user ?? null);
}

/**
 * The agent sets the reserved names, except the number of resumes, which only the server has.
 * Otherwise the job's own value overrides the fleet's.
 */
function jobEnv(input: AgentJobInput, secrets: NamedSecrets): Record<string, string> {
  const DSTACK_RUN_RESUME_COUNT = String(input.job.resumeCount);
  const env: Record<string, string> = {
    ...input.fleetEnv,
    ...{ DSTACK_RUN_RESUME_COUNT },
    ...input.job.spec.env,
  };
  if (input.routerAddress !== null) env.DSTACK_ROUTER_INTERNAL_IP ??= input.routerAddress;
  if (input.token !== null) {
    env.DSTACK_PROJECT ??= input.projectName;
    // Only for this server: the user may have named another one.
    if (env.DSTACK_SERVER_URL === socketUrl(SERVER_SOCKET)) env.DSTACK_TOKEN ??= input.token;
  }
  return Object.fromEntries(
    Object.entries(env).map(([name, value]) => [name, secrets.fill(value)]),
  );
}

/** Credentials of a job's registry with the project's secrets filled in; throws `JobSpecError`. */
export function registryAuth(
  spec: { readonly registry_auth?: RegistryAuth | null },
  secrets: Readonly<Record<string, string>>,
): RegistryAuth | null {
  return filledAuth(spec.registry_auth ?? null, new NamedSecrets(secrets));
}

function filledAuth(auth: RegistryAuth | null, secrets: NamedSecrets): RegistryAuth | null {
  return auth && { username: secrets.fill(auth.username), password: secrets.fill(auth.password) };
}

/** The share of the instance that the job may use: all of it, or its claimed blocks. */
function share(job: JobRecord) {
  const runtime = job.runtimeData;
  return {
    network_mode: runtime?.network_mode === 'host' ? ('host' as const) : ('bridge' as const),
    cpu_limit: runtime?.cpu ?? null,
    memory_limit_bytes: bytes(runtime?.memory ?? null),
    gpus: runtime?.gpu ?? null,
  };
}

/** Mounts that are not possible are refused, because a job without its data would do harm. */
function mounts(spec: JobSpec, volumes: readonly MountedVolume[]): JobMount[] {
  const remaining = [...volumes];
  return (spec.volumes ?? []).map((mount) => {
    if ('name' in mount) {
      const names = [mount.name].flat();
      const volume = remaining.shift();
      if (!volume || !names.includes(volume.name)) {
        throw new JobSpecError(`volume ${names.join(', ')} cannot be mounted there`);
      }
      const { readOnly } = volume;
      const { path: target } = mount;
      return { source: '', target, read_only: readOnly, optional: false, volume: volume.volume };
    }
    return {
      source: mount.instance_path,
      target: mount.path,
      read_only: false,
      optional: mount.optional ?? false,
      volume: null,
    };
  });
}

function repo({ run, job, repoCreds, cloneLimits }: AgentJobInput): RepoForAgent | null {
  const data = job.spec.repo_data;
  if (!data) return null;
  const remote = data.repo_type === 'remote' ? data : null;
  return {
    type: data.repo_type,
    dir: job.spec.repo_dir,
    exists_action: job.spec.repo_exists_action ?? null,
    clone_url: remote
      ? required(repoCreds?.clone_url, `credentials of repo ${run.spec.repo_id}`)
      : null,
    branch: remote?.repo_branch ?? null,
    hash: remote?.repo_hash ?? null,
    single_branch: job.spec.single_branch ?? true,
    config_name: remote?.repo_config_name ?? null,
    config_email: remote?.repo_config_email ?? null,
    private_key: repoCreds?.private_key ?? null,
    oauth_token: repoCreds?.oauth_token ?? null,
    code_sha256: job.spec.repo_code_hash ?? null,
    limits: cloneLimits,
    skip_lfs: /^(1|t|true|y|yes|on)$/i.test(job.spec.env.GIT_LFS_SKIP_SMUDGE ?? ''),
  };
}

/** The agent writes these into the job's home, where its commands can print them. */
function repoSecrets({ job, repoCreds }: AgentJobInput): (string | null)[] {
  if (!job.spec.repo_data || !repoCreds) return [];
  return [repoCreds.oauth_token, repoCreds.private_key];
}

/**
 * A job's image with its registry: a name without a registry gets the server's default registry.
 */
export function imageName(
  { image_name: image }: Pick<JobSpec, 'image_name'>,
  registry: string | null,
): string {
  const isOpen = splitImageName(image).registryHost === null;
  return registry && isOpen ? `${registry}/${image}` : image;
}

function bytes(gb: number | null): number | null {
  return gb === null ? null : Math.round(gb * GB);
}

function required<T>(value: T | null | undefined, what: string): T {
  if (value === null || value === undefined) throw new JobSpecError(`${what} not found`);
  return value;
}
