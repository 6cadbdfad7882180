/** Jobs: the specification of a job, its submissions, and the instance of each. */
import * as z from 'zod';
import {
  InstanceMountPoint,
  RegistryAuth,
  RepoExistsAction,
  ResourcesSpec,
  RetryEvent,
  UtilizationPolicy,
  VastAIProfileOptions,
  VolumeMountPoint,
} from '../configuration/index.ts';
import { JOB_STATUSES } from '../status/job-status.ts';
import { BackendType } from './backend.ts';
import { FileArchiveMapping } from './file.ts';
import { GpuDriverInfo } from './instance.ts';
import { InstanceOfferWithAvailability, InstanceType } from './offer.ts';
import { RunRepoData } from './repo.ts';
import {
  choiceOf,
  DateTime,
  Flag,
  Float,
  Integer,
  integer,
  listOf,
  literal,
  model,
  nullable,
  Text,
  text,
  Uuid4,
} from './scalars.ts';

/**
 * Why a job has to leave its instance: its process gets Ctrl-C at `interrupt_at`, and is killed at `ends_at`. It is then
 * submitted again. Ours.
 */
export const SubmissionNotice = model({ message: Text, interrupt_at: DateTime, ends_at: DateTime });
export type SubmissionNotice = z.infer<typeof SubmissionNotice>;

export const JobStatus = choiceOf(JOB_STATUSES);
export type JobStatus = z.infer<typeof JobStatus>;

export const AppSpec = model({
  port: Integer,
  map_to_port: nullable(Integer),
  app_name: Text,
  url_path: nullable(Text),
  url_query_params: nullable(z.record(z.string(), Text)),
});
export type AppSpec = z.infer<typeof AppSpec>;

export const UnixUser = model({
  uid: nullable(integer({ ge: 0 })),
  gid: nullable(integer({ ge: 0 })),
  username: nullable(text({ min: 1 })),
  groupname: nullable(text({ min: 1 })),
});
export type UnixUser = z.infer<typeof UnixUser>;

/** The resources that an offer must have; `spot` null = either. */
export const Requirements = model({
  resources: ResourcesSpec,
  max_price: nullable(Float),
  spot: nullable(Flag),
  reservation: nullable(Text),
  multinode: nullable(Flag),
  backend_options: nullable(z.array(VastAIProfileOptions)),
});
export type Requirements = z.infer<typeof Requirements>;

/** `duration` in seconds. */
export const Retry = model({ on_events: z.array(RetryEvent), duration: Integer });
export type Retry = z.infer<typeof Retry>;

/** Never returned by the API: `JobSpec.ssh_key` is always null there. */
export const JobSSHKey = model({ private: Text, public: Text });
export type JobSSHKey = z.infer<typeof JobSSHKey>;

export const PROBE_METHODS = ['get', 'post', 'put', 'delete', 'patch', 'head'] as const;

/** A probe with all defaults filled in; `timeout` and `interval` in seconds. */
export const ProbeSpec = model({
  type: literal('http'),
  url: Text,
  method: choiceOf(PROBE_METHODS).default('get'),
  headers: listOf(model({ name: Text, value: Text })),
  body: nullable(Text),
  timeout: Integer,
  interval: Integer,
  ready_after: Integer,
  until_ready: Flag.default(false),
});
export type ProbeSpec = z.infer<typeof ProbeSpec>;

/** A liveness probe with all defaults; seconds. Ours: dstack 0.22.5 has none. */
export const LivenessSpec = model({
  url: Text,
  method: choiceOf(PROBE_METHODS),
  headers: listOf(model({ name: Text, value: Text })),
  body: nullable(Text),
  timeout: Integer,
  interval: Integer,
  failures: Integer,
  start_period: Integer,
});
export type LivenessSpec = z.infer<typeof LivenessSpec>;

/** One job, resolved from the run spec; durations in seconds. */
export const JobSpec = model({
  replica_num: Integer.default(0),
  job_num: Integer,
  job_name: Text,
  jobs_per_replica: Integer.default(1),
  replica_group: Text.default('0'),
  app_specs: nullable(z.array(AppSpec)),
  user: nullable(UnixUser),
  commands: z.array(Text),
  env: z.record(z.string(), Text),
  home_dir: nullable(Text),
  image_name: Text,
  privileged: Flag.default(false),
  single_branch: nullable(Flag),
  max_duration: nullable(Integer),
  stop_duration: nullable(Integer),
  utilization_policy: nullable(UtilizationPolicy),
  registry_auth: nullable(RegistryAuth),
  requirements: Requirements,
  retry: nullable(Retry),
  volumes: nullable(z.array(z.union([VolumeMountPoint, InstanceMountPoint]))),
  ssh_key: nullable(JobSSHKey),
  working_dir: nullable(Text),
  repo_data: nullable(RunRepoData),
  repo_code_hash: nullable(Text),
  repo_dir: Text.default('/workflow'),
  repo_exists_action: nullable(RepoExistsAction),
  file_archives: listOf(FileArchiveMapping),
  service_port: nullable(Integer),
  probes: listOf(ProbeSpec),
  liveness: LivenessSpec.optional(),
  node_group_index: Integer.default(0),
  node_group_name: Text.default('0'),
  node_group_job_index: Integer.default(0),
});
export type JobSpec = z.infer<typeof JobSpec>;

export const SSHConnectionParams = model({ hostname: Text, username: Text, port: Integer });
export type SSHConnectionParams = z.infer<typeof SSHConnectionParams>;

/**
 * The instance of a job. `dockerized` true: the host runs an agent, and the container is reached
 * through the host; false: the job itself is the SSH target. `backend_data` is an opaque JSON text.
 */
export const JobProvisioningData = model({
  backend: BackendType,
  base_backend: nullable(BackendType),
  instance_type: InstanceType,
  instance_id: Text,
  hostname: nullable(Text),
  internal_ip: nullable(Text),
  public_ip_enabled: Flag.default(true),
  instance_network: nullable(Text),
  region: Text,
  availability_zone: nullable(Text),
  reservation: nullable(Text),
  price: Float,
  username: Text,
  ssh_port: nullable(Integer),
  dockerized: Flag,
  ssh_proxy: nullable(SSHConnectionParams),
  backend_data: nullable(Text),
  gpu_driver: nullable(GpuDriverInfo),
});
export type JobProvisioningData = z.infer<typeof JobProvisioningData>;

export const NetworkMode = choiceOf(['host', 'bridge']);
export type NetworkMode = z.infer<typeof NetworkMode>;

/**
 * `ports`: container -> host (`{}` in host mode, null unknown). `gpu`, `cpu`, `memory` (GB): the
 * share of a split instance, null = all of it.
 */
export const JobRuntimeData = model({
  network_mode: NetworkMode,
  gpu: nullable(Integer),
  cpu: nullable(Float),
  memory: nullable(Float),
  ports: nullable(z.record(z.string(), Integer)),
  volume_names: nullable(z.array(Text)),
  offer: nullable(InstanceOfferWithAvailability),
  working_dir: nullable(Text),
  username: nullable(Text),
});
export type JobRuntimeData = z.infer<typeof JobRuntimeData>;

/** `success_streak` parallel to `JobSpec.probes`; ready when it reaches `ready_after`. */
export const Probe = model({ success_streak: Integer });
export type Probe = z.infer<typeof Probe>;

/** Bytes; `is_total_bytes_final` false = the total is a lower bound. */
export const ImagePullProgress = model({
  downloaded_bytes: Integer,
  extracted_bytes: Integer,
  total_bytes: Integer,
  is_total_bytes_final: Flag,
});
export type ImagePullProgress = z.infer<typeof ImagePullProgress>;

export const JobSubmission = model({
  id: Uuid4,
  submission_num: Integer,
  deployment_num: Integer.default(0),
  submitted_at: DateTime,
  last_processed_at: DateTime,
  finished_at: nullable(DateTime),
  inactivity_secs: nullable(Integer),
  status: JobStatus,
  status_message: Text.default(''),
  termination_reason: nullable(Text),
  termination_reason_message: nullable(Text),
  exit_status: nullable(Integer),
  job_provisioning_data: nullable(JobProvisioningData),
  job_runtime_data: nullable(JobRuntimeData),
  error: nullable(Text),
  probes: listOf(Probe),
  image_pull_progress: nullable(ImagePullProgress),
  notice: SubmissionNotice.optional(),
});
export type JobSubmission = z.infer<typeof JobSubmission>;

/** How to connect to a running job; only in answers of `runs/get`. */
export const JobConnectionInfo = model({
  ide_name: nullable(Text),
  attached_ide_url: nullable(Text),
  proxied_ide_url: nullable(Text),
  attached_ssh_command: nullable(z.array(Text)),
  proxied_ssh_command: nullable(z.array(Text)),
  sshproxy_hostname: nullable(Text),
  sshproxy_port: nullable(Integer),
  sshproxy_upstream_id: nullable(Text),
});
export type JobConnectionInfo = z.infer<typeof JobConnectionInfo>;

/** `job_spec` is that of the latest submission; submissions oldest first. */
export const Job = model({
  job_spec: JobSpec,
  job_submissions: z.array(JobSubmission),
  job_connection_info: nullable(JobConnectionInfo),
});
export type Job = z.infer<typeof Job>;
