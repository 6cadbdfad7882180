import { SERVER_SOCKET, socketUrl } from '@dstack/contract/agent';
import type { JobSpec, Profile, RunConfiguration, RunSpec } from '@dstack/contract/wire';
import { spotOf } from '../profile/fleet-requirements.ts';
import { mergedProfile } from '../profile/merge.ts';
import { jobArgv } from './commands.ts';
import { jobLiveness } from './liveness.ts';
import { type JobPart, jobParts } from './parts.ts';
import { jobProbes } from './probes.ts';
import {
  DEFAULT_JOB_SPEC_SETTINGS,
  type ImageConfig,
  type JobSpecSettings,
  SCRATCH_IMAGE,
} from './settings.ts';
import { unixUser } from './unix-user.ts';

export interface JobSpecContext {
  /** `dry-run` in plans of runs without a name. */
  readonly runName: string;
  readonly replicaNum: number;
  /** Name of a service's replica group; `"0"` elsewhere. */
  readonly replicaGroup: string;
  /** The configuration of the user's own image; null = unknown. */
  readonly imageConfig?: ImageConfig | null;
  /**
   * Makes the key pair that all jobs of a replica on several instances share; not used in plans.
   */
  readonly newSshKey?: () => JobSpec['ssh_key'];
  readonly settings?: JobSpecSettings;
}

export type BuiltJobSpecs =
  | { readonly ok: true; readonly jobSpecs: JobSpec[] }
  | { readonly ok: false; readonly message: string };

/** Name of the run in plans of runs without a name. */
export const DRY_RUN_NAME = 'dry-run';

/** The folder of the code, which relative directories refer to. */
const WORKFLOW_DIR = '/workflow';

/** Ports of the agent, reserved by the wire; never forwarded for users. */
const RESERVED_PORTS = { min: 10000, max: 10999 } as const;

const DEFAULT_STOP_SECONDS = 300;
const DEFAULT_RETRY_SECONDS = 3600;
const ALL_EVENTS = ['no-capacity', 'interruption', 'error'] as const;

/**
 * Job specs of one replica of an effective run spec, in the order of job numbers. Fails with a
 * sentence for the user if there is nothing to run.
 */
export function buildJobSpecs(spec: RunSpec, context: JobSpecContext): BuiltJobSpecs {
  const settings = context.settings ?? DEFAULT_JOB_SPEC_SETTINGS;
  const parts = jobParts(spec.configuration, context.replicaGroup, settings);
  const profile = mergedProfile(spec);
  const sshKey = parts.length > 1 ? (context.newSshKey?.() ?? null) : null;
  const jobSpecs: JobSpec[] = [];
  for (const part of parts) {
    const image = imageConfigOf(part, context);
    const commands = jobArgv(spec.configuration, part, context.runName, image);
    if (!commands.ok) return commands;
    const common = commonSpec(spec, profile, part, image);
    jobSpecs.push({
      ...common,
      ...identity(part, context, parts.length),
      commands: commands.argv,
      requirements: requirementsOf(profile, part, image, parts.length),
      ssh_key: sshKey,
      ...serviceParts(spec, context),
    });
  }
  return { ok: true, jobSpecs };
}

function serviceParts({ configuration }: RunSpec, { replicaGroup }: JobSpecContext) {
  if (configuration.type !== 'service') return { probes: [] };
  const liveness = jobLiveness(configuration);
  return { probes: jobProbes(configuration, replicaGroup), ...(liveness && { liveness }) };
}

/** Only the configuration of the user's own image affects the job. */
function imageConfigOf(part: JobPart, context: JobSpecContext): ImageConfig | null {
  if (part.image.kind !== 'custom' || part.image.name === SCRATCH_IMAGE) return null;
  return context.imageConfig ?? null;
}

function identity(part: JobPart, context: JobSpecContext, jobsPerReplica: number) {
  return {
    replica_num: context.replicaNum,
    job_num: part.jobNum,
    job_name: `${context.runName}-${part.jobNum}-${context.replicaNum}`,
    jobs_per_replica: jobsPerReplica,
    replica_group: context.replicaGroup,
    node_group_index: part.nodeGroupIndex,
    node_group_name: part.nodeGroupName,
    node_group_job_index: part.nodeGroupJobIndex,
  };
}

function commonSpec(spec: RunSpec, profile: Profile, part: JobPart, image: ImageConfig | null) {
  const { configuration } = spec;
  const repo = configuration.repos[0];
  const user = configuration.user ?? image?.user;
  return {
    app_specs: appSpecs(part),
    user: user ? unixUser(user) : null,
    env: jobEnv(configuration),
    home_dir: configuration.home_dir,
    image_name: part.image.name,
    privileged: part.image.privileged,
    single_branch: configuration.single_branch ?? configuration.type !== 'dev-environment',
    max_duration: seconds(profile.max_duration, null),
    stop_duration: seconds(profile.stop_duration, DEFAULT_STOP_SECONDS),
    utilization_policy: profile.utilization_policy,
    registry_auth: configuration.registry_auth,
    retry: retryOf(profile),
    volumes: jobVolumes(configuration, part.jobNum),
    working_dir: workingDir(configuration.working_dir ?? spec.working_dir),
    repo_data: spec.repo_data,
    repo_code_hash: spec.repo_code_hash,
    repo_dir: repo?.path ?? spec.repo_dir ?? WORKFLOW_DIR,
    repo_exists_action: repo?.if_exists ?? null,
    file_archives: spec.file_archives,
    service_port: configuration.type === 'service' ? configuration.port.container_port : null,
  };
}

function requirementsOf(
  profile: Profile,
  part: JobPart,
  image: ImageConfig | null,
  jobsPerReplica: number,
): JobSpec['requirements'] {
  const { resources } = part;
  return {
    resources: { ...resources, cpu: { ...resources.cpu, arch: archOf(part, image) } },
    max_price: profile.max_price,
    spot: spotOf(part.spotPolicy ?? profile.spot_policy ?? 'on-demand'),
    reservation: part.reservation ?? profile.reservation,
    multinode: jobsPerReplica > 1,
    backend_options: profile.backend_options,
  };
}

/**
 * The default images exist for x86 only. The architecture of others is known only if they have a
 * single one.
 */
function archOf(part: JobPart, image: ImageConfig | null): 'x86' | 'arm' | null {
  const asked = part.resources.cpu.arch;
  if (asked) return asked;
  if (part.image.kind !== 'custom') return 'x86';
  const [only, ...others] = image?.architectures ?? [];
  return only && others.length === 0 ? only : null;
}

function appSpecs(part: JobPart): NonNullable<JobSpec['app_specs']> {
  return part.ports
    .filter(({ container_port: port }) => port < RESERVED_PORTS.min || port > RESERVED_PORTS.max)
    .map((mapping, index) => ({
      port: mapping.container_port,
      map_to_port: mapping.local_port ?? null,
      app_name: `app_${index}`,
      url_path: null,
      url_query_params: null,
    }));
}

/** A variable without a value was refused earlier and is left out here. */
function jobEnv(configuration: RunConfiguration): Record<string, string> {
  const env: Record<string, string> = {};
  for (const [name, value] of Object.entries(configuration.env)) {
    if (typeof value === 'string') env[name] = value;
  }
  if (configuration.dstack) env.DSTACK_SERVER_URL ??= socketUrl(SERVER_SOCKET);
  return env;
}

function seconds(duration: number | 'off' | null | undefined, fallback: number | null) {
  return duration === 'off' ? null : (duration ?? fallback);
}

function retryOf(profile: Profile): JobSpec['retry'] {
  const { retry } = profile;
  if (!retry) return null;
  const { on_events: events, duration } = retry === true ? {} : retry;
  return { on_events: [...(events ?? ALL_EVENTS)], duration: duration ?? DEFAULT_RETRY_SECONDS };
}

const NODE_RANK = /\$\{\{\s*dstack\.(?:job_num|node_rank)\s*\}\}/g;

/** The name of a volume may contain the number of the node that mounts it. */
function jobVolumes(configuration: RunConfiguration, jobNum: number): JobSpec['volumes'] {
  const named = (name: string): string => name.replaceAll(NODE_RANK, String(jobNum));
  return configuration.volumes.map((mount) => {
    if (!('name' in mount)) return mount;
    const { name } = mount;
    return { ...mount, name: typeof name === 'string' ? named(name) : name.map(named) };
  });
}

function workingDir(dir: string | null | undefined): string | null {
  if (dir == null) return null;
  if (dir.startsWith('/') || dir.startsWith('~')) return dir;
  return dir === '.' ? WORKFLOW_DIR : `${WORKFLOW_DIR}/${dir.replace(/^\.\//, '')}`;
}
