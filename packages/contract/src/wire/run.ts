/** Runs. */
import * as z from 'zod';
import {
  DevEnvironmentConfiguration,
  Profile,
  ServiceConfiguration,
  TaskConfiguration,
} from '../configuration/index.ts';
import { tagged } from '../configuration/schema-kit.ts';
import { ROLLOUT_STATUSES } from '../status/rollout-status.ts';
import { RUN_STATUSES } from '../status/run-status.ts';
import { FileArchiveMapping } from './file.ts';
import { Job, JobSubmission } from './job.ts';
import { RunRepoData } from './repo.ts';
import {
  choiceOf,
  DateTime,
  Flag,
  Float,
  Integer,
  JsonObject,
  listOf,
  model,
  nullable,
  Path,
  PlainText,
  Text,
  Uuid4,
} from './scalars.ts';

export const RunStatus = choiceOf(RUN_STATUSES);
export type RunStatus = z.infer<typeof RunStatus>;

export const RunConfiguration = tagged('type', {
  'dev-environment': DevEnvironmentConfiguration,
  task: TaskConfiguration,
  service: ServiceConfiguration,
});
export type RunConfiguration = z.infer<typeof RunConfiguration>;

/** A run as requested by the user. `run_name` is the identity; `configuration.name` is ignored. */
export const RunSpec = model({
  run_name: nullable(Text),
  repo_id: nullable(PlainText),
  repo_data: nullable(RunRepoData),
  repo_code_hash: nullable(PlainText),
  repo_dir: nullable(Path),
  file_archives: listOf(FileArchiveMapping),
  working_dir: nullable(Path),
  configuration_path: nullable(Text),
  configuration: RunConfiguration,
  profile: nullable(Profile),
  ssh_key_pub: nullable(Text),
});
export type RunSpec = z.infer<typeof RunSpec>;

export const RunFleet = model({ id: Uuid4, name: Text });
export type RunFleet = z.infer<typeof RunFleet>;

export const ServiceModelSpec = model({ name: Text, base_url: Text, type: Text });
export type ServiceModelSpec = z.infer<typeof ServiceModelSpec>;

/** `url`: absolute, or a path on the server that proxies the service. */
export const ServiceSpec = model({
  url: Text,
  model: nullable(ServiceModelSpec),
  options: JsonObject.default(() => ({})),
  /** Ours: its custom host names, without scheme and port. */
  hosts: z.array(Text).optional(),
});
export type ServiceSpec = z.infer<typeof ServiceSpec>;

/** The replacement of a service's replicas by those of its last update. Ours. */
export const RolloutState = model({
  deployment_num: Integer,
  status: choiceOf(ROLLOUT_STATUSES),
  /** Replicas of the deployment that have proved to work. */
  ready: Integer,
  /** The deployment to which `undo` returns. */
  previous_deployment_num: nullable(Integer),
  message: nullable(Text),
});
export type RolloutState = z.infer<typeof RolloutState>;

/** By whom a run is kept out of the queue, and since when. Ours. */
export const RunHold = model({ by: Text, since: DateTime });
export type RunHold = z.infer<typeof RunHold>;

/** The members of an array that are born, by status; `total`: of all that there will be. Ours. */
export const RunArray = model({
  total: Integer,
  max_parallel: Integer,
  max_failures: Integer,
  members: model({
    pending: Integer,
    submitted: Integer,
    provisioning: Integer,
    running: Integer,
    terminating: Integer,
    terminated: Integer,
    failed: Integer,
    done: Integer,
  }),
});
export type RunArray = z.infer<typeof RunArray>;

/** The array of a member, and its index there. Ours. */
export const RunMember = model({ array: Text, index: Integer });
export type RunMember = z.infer<typeof RunMember>;

/** `cost` in USD, 4 decimals; `latest_job_submission` is that of the first job. */
export const Run = model({
  id: Uuid4,
  project_name: Text,
  user: Text,
  fleet: nullable(RunFleet),
  submitted_at: DateTime,
  last_processed_at: DateTime,
  status: RunStatus,
  status_message: Text.default(''),
  termination_reason: nullable(Text),
  run_spec: RunSpec,
  jobs: z.array(Job),
  latest_job_submission: nullable(JobSubmission),
  cost: Float.default(0),
  service: nullable(ServiceSpec),
  deployment_num: Integer.default(0),
  rollout: RolloutState.optional(),
  hold: RunHold.optional(),
  array: RunArray.optional(),
  member: RunMember.optional(),
  error: nullable(Text),
  deleted: nullable(Flag),
  next_triggered_at: nullable(DateTime),
});
export type Run = z.infer<typeof Run>;
