/** Plans of runs and fleets, and offers grouped by device. */
import * as z from 'zod';
import { BackendType } from './backend.ts';
import { Fleet, FleetSpec } from './fleet.ts';
import { JobSpec } from './job.ts';
import {
  AcceleratorVendor,
  CPUArchitecture,
  InstanceAvailability,
  InstanceOfferWithAvailability,
} from './offer.ts';
import { QueuedPlace } from './queue.ts';
import { Run, RunSpec } from './run.ts';
import {
  choiceOf,
  DateTime,
  Flag,
  Float,
  Integer,
  listOf,
  model,
  nullable,
  Text,
} from './scalars.ts';

export const ApplyAction = choiceOf(['create', 'update']);
export type ApplyAction = z.infer<typeof ApplyAction>;

/** `total_offers` and `max_price` count all offers, `offers` has the first ones. */
export const JobPlan = model({
  job_spec: JobSpec,
  offers: z.array(InstanceOfferWithAvailability),
  total_offers: Integer,
  max_price: nullable(Float),
});
export type JobPlan = z.infer<typeof JobPlan>;

/** The outcome for a run that is submitted now, as far as its capacity goes. */
export const PLAN_OUTLOOKS = [
  /** There is a place for it. */
  'starts',
  /** Its machines are in use, and its order waits in the queue of their backend. */
  'queued',
  /** There is no place now, and its `retry` lets it wait for one. */
  'waits',
  /** There is no place now, and it ends at once for that reason. */
  'ends',
] as const;
export const PlanOutlook = choiceOf(PLAN_OUTLOOKS);
export type PlanOutlook = z.infer<typeof PlanOutlook>;

/** `project`: null = the caller may not see it. `runs`: of which jobs would have to leave. */
export const PlanPreempted = model({ project: nullable(Text), runs: Integer });
export type PlanPreempted = z.infer<typeof PlanPreempted>;

/**
 * A limit of the project, or of the user in it (`of`), beside what is used of it now and what the run needs, null = not known;
 * `fleet`: null = on all fleets. For `resource` and units see `QuotaUse`.
 */
export const PlanQuota = model({
  of: Text,
  fleet: nullable(Text),
  resource: Text,
  used: Float,
  limit: Float,
  needed: nullable(Float),
});
export type PlanQuota = z.infer<typeof PlanQuota>;

/**
 * All keys from `notes` on are our additions. `notes`: sentences for the user about unusual behaviour of the
 * run. `outlook` is null for searches, updates, and runs that do not begin when they are submitted.
 * If the run would wait, `queue_place` is its place in the queue, from 1, and `expected_start` when it is
 * expected to start, null = not known; `is_about`: that is an estimate, and no promise. `places`: the existing instances
 * on which it would start now or then, of one replica of a service; absent: none is known. `new_instances`: how many
 * would be made for it; absent: none. `preempts`: whose jobs would have to leave for it. `quota`: the limits that it
 * would use some of. `borrows`: why it would use what other projects are guaranteed, for which it may have to leave
 * again; null = it would not.
 */
export const RunPlan = model({
  project_name: Text,
  user: Text,
  run_spec: RunSpec,
  effective_run_spec: nullable(RunSpec),
  job_plans: z.array(JobPlan),
  current_resource: nullable(Run),
  action: ApplyAction,
  notes: listOf(Text),
  outlook: nullable(PlanOutlook),
  queue_place: nullable(Integer),
  expected_start: nullable(DateTime),
  is_about: Flag.default(false),
  places: z.array(QueuedPlace).optional(),
  new_instances: Integer.optional(),
  preempts: listOf(PlanPreempted),
  quota: listOf(PlanQuota),
  borrows: nullable(Text),
});
export type RunPlan = z.infer<typeof RunPlan>;

/** `spec` is the caller's own input, including keys. `notes`, an addition of ours: sentences for the user about the update; absent: none. */
export const FleetPlan = model({
  project_name: Text,
  user: Text,
  spec: FleetSpec,
  effective_spec: nullable(FleetSpec),
  current_resource: nullable(Fleet),
  offers: z.array(InstanceOfferWithAvailability),
  total_offers: Integer,
  max_offer_price: nullable(Float),
  action: nullable(ApplyAction),
  notes: z.array(Text).optional(),
});
export type FleetPlan = z.infer<typeof FleetPlan>;

const IntegerRange = model({ min: nullable(Integer), max: nullable(Integer) });
const FloatRange = model({ min: nullable(Float), max: nullable(Float) });
const SpotKind = choiceOf(['spot', 'on-demand']);

const groupKeys = {
  backends: z.array(BackendType).optional(),
  backend: BackendType.optional(),
  regions: z.array(Text).optional(),
  region: Text.optional(),
};

/** `price` per GPU, `offer_price` of the whole offer. Null fields are omitted from the answer. */
export const GpuGroup = model({
  name: Text,
  memory_mib: Integer,
  vendor: AcceleratorVendor,
  availability: z.array(InstanceAvailability),
  spot: z.array(SpotKind),
  count: IntegerRange,
  price: FloatRange,
  offer_price: FloatRange.optional(),
  ...groupKeys,
});
export type GpuGroup = z.infer<typeof GpuGroup>;

/** Offers without a GPU; `price` of the whole offer. Null fields are omitted from the answer. */
export const CpuGroup = model({
  cpu_arch: z.array(CPUArchitecture),
  count: IntegerRange,
  memory_mib: IntegerRange,
  price: FloatRange,
  availability: z.array(InstanceAvailability),
  spot: z.array(SpotKind),
  ...groupKeys,
});
export type CpuGroup = z.infer<typeof CpuGroup>;

/** `cpus` only if the run requests no GPU. */
export const ListGpusResponse = model({
  gpus: z.array(GpuGroup),
  cpus: z.array(CpuGroup).optional(),
});
export type ListGpusResponse = z.infer<typeof ListGpusResponse>;
