/** Instances and their health. */
import * as z from 'zod';
import { HEALTH_STATUSES } from '../status/health-status.ts';
import { INSTANCE_STATUSES } from '../status/instance-status.ts';
import { BackendType } from './backend.ts';
import { AcceleratorVendor, InstanceType } from './offer.ts';
import {
  choiceOf,
  DateTime,
  Flag,
  Float,
  Integer,
  model,
  nullable,
  Text,
  Uuid,
} from './scalars.ts';

export const InstanceStatus = choiceOf(INSTANCE_STATUSES);
export type InstanceStatus = z.infer<typeof InstanceStatus>;

export const HealthStatus = choiceOf(HEALTH_STATUSES);
export type HealthStatus = z.infer<typeof HealthStatus>;

export const GpuDriverInfo = model({ vendor: nullable(AcceleratorVendor), version: Text });
export type GpuDriverInfo = z.infer<typeof GpuDriverInfo>;

/**
 * `draining`: its jobs leave it; `drained`: they have left. `quarantined`: its host fails to start jobs, and
 * is tried again by itself.
 */
export const SCHEDULING_STATES = ['cordoned', 'draining', 'drained', 'quarantined'] as const;

/**
 * Why an instance that is in service gets no new jobs: a person has cordoned it (`by`: the name of that
 * user), or the server has found that it cannot start jobs. `until`: when it gets jobs again by itself,
 * null = unknown or never. `deadline`: of a drain, when its last job has to have left.
 */
export const InstanceScheduling = model({
  state: choiceOf(SCHEDULING_STATES),
  reason: nullable(Text),
  by: nullable(Text),
  since: nullable(DateTime),
  until: nullable(DateTime),
  deadline: nullable(DateTime),
});
export type InstanceScheduling = z.infer<typeof InstanceScheduling>;

/**
 * `job_name` is always null; `total_blocks` is null until the instance is provisioned. The `hostname` of an SSH host is
 * known from the start, which in 0.22.5 it is not. `health_message`: the findings of the health checks, absent if it is
 * healthy. `scheduling`: absent if the instance may get new jobs. `next_blocks`: the number of blocks into which it is
 * divided once no job runs there; absent if that is `total_blocks`. All three are additions of ours.
 */
export const Instance = model({
  id: Uuid,
  project_name: Text,
  backend: nullable(BackendType),
  instance_type: nullable(InstanceType),
  name: Text,
  fleet_id: nullable(Uuid),
  fleet_name: nullable(Text),
  instance_num: Integer,
  job_name: nullable(Text),
  hostname: nullable(Text),
  status: InstanceStatus,
  unreachable: Flag.default(false),
  health_status: HealthStatus.default('healthy'),
  health_message: Text.optional(),
  scheduling: InstanceScheduling.optional(),
  termination_reason: nullable(Text),
  termination_reason_message: nullable(Text),
  created: DateTime,
  finished_at: nullable(DateTime),
  region: nullable(Text),
  availability_zone: nullable(Text),
  price: nullable(Float),
  total_blocks: nullable(Integer),
  next_blocks: Integer.optional(),
  busy_blocks: Integer.default(0),
  gpu_driver: nullable(GpuDriverInfo),
});
export type Instance = z.infer<typeof Instance>;

export const HealthEvent = model({ timestamp: DateTime, status: HealthStatus, message: Text });
export type HealthEvent = z.infer<typeof HealthEvent>;

export const HealthCheck = model({
  collected_at: DateTime,
  status: HealthStatus,
  events: z.array(HealthEvent),
});
export type HealthCheck = z.infer<typeof HealthCheck>;

export const GetInstanceHealthChecksResponse = model({ health_checks: z.array(HealthCheck) });
export type GetInstanceHealthChecksResponse = z.infer<typeof GetInstanceHealthChecksResponse>;
