/** Requests about runs, logs, metrics and events. */
import * as z from 'zod';
import { EventTargetType } from '../wire/event.ts';
import { Run, RunSpec } from '../wire/run.ts';
import {
  choiceOf,
  Flag,
  Instant,
  integer,
  model,
  nullable,
  seen,
  Text,
  Uuid,
  Uuid4,
} from '../wire/scalars.ts';

const LARGEST = 2 ** 31 - 1;

/** A whole number as databases store it, in 32 bits. */
export const StoredInteger = integer({ ge: -LARGEST, le: LARGEST });

/** Limit of a list without a bound of its own. */
export const Count = integer({ ge: 0, le: LARGEST });

/** The maximum number of runs, fleets, volumes or events in one page. */
export const MAX_PAGE = 100;

/** The maximum number of submissions of each job in a list of runs. */
export const MAX_JOB_SUBMISSIONS = 10;

export const ListRunsRequest = model({
  project_name: nullable(Text),
  repo_id: nullable(Text),
  username: nullable(Text),
  only_active: Flag.default(false),
  include_jobs: Flag.default(true),
  job_submissions_limit: nullable(integer({ ge: 0, le: MAX_JOB_SUBMISSIONS })),
  prev_submitted_at: nullable(Instant),
  prev_run_id: nullable(Uuid),
  limit: integer({ ge: 0, le: MAX_PAGE }).default(MAX_PAGE),
  ascending: Flag.default(false),
  /** Ours: the members of this array of the project, which are in no other list. */
  array: nullable(Text),
});
export type ListRunsRequest = z.infer<typeof ListRunsRequest>;

export const GetRunRequest = model({ run_name: nullable(Text), id: nullable(Uuid) });
export type GetRunRequest = z.infer<typeof GetRunRequest>;

export const GetRunPlanRequest = model({
  run_spec: RunSpec,
  max_offers: nullable(integer({ ge: 1, le: 10_000 })),
  reverse_offers: Flag.default(false),
  full_offers: Flag.default(false),
  unallocated_resources: Flag.default(false),
  for_offers_only: Flag.default(false),
});
export type GetRunPlanRequest = z.infer<typeof GetRunPlanRequest>;

export const ApplyRunPlanRequest = model({
  plan: model({ run_spec: RunSpec, current_resource: seen(Run) }),
  force: Flag,
});
export type ApplyRunPlanRequest = z.infer<typeof ApplyRunPlanRequest>;

export const StopRunsRequest = model({ runs_names: z.array(Text), abort: Flag });
export type StopRunsRequest = z.infer<typeof StopRunsRequest>;

export const DeleteRunsRequest = model({ runs_names: z.array(Text) });
export type DeleteRunsRequest = z.infer<typeof DeleteRunsRequest>;

export const ListGpusRequest = model({
  run_spec: RunSpec,
  group_by: nullable(z.array(choiceOf(['backend', 'region', 'count']))),
  reverse: Flag.default(false),
  full_offers: Flag.default(false),
  unallocated_resources: Flag.default(false),
});
export type ListGpusRequest = z.infer<typeof ListGpusRequest>;

export const PollLogsRequest = model({
  run_name: Text,
  job_submission_id: Uuid4,
  start_time: nullable(Instant),
  end_time: nullable(Instant),
  descending: Flag.default(false),
  next_token: nullable(Text),
  limit: integer({ ge: 0, le: 1000 }).default(100),
  diagnose: Flag.default(false),
  /** Our addition: only lines that contain this text. */
  grep: nullable(Text),
  /** Our addition: `grep` does not distinguish upper and lower case. */
  ignore_case: Flag.default(false),
});
export type PollLogsRequest = z.infer<typeof PollLogsRequest>;

/** Query of `GET metrics/job/{run}`; `after` inclusive, `before` exclusive. */
export const JobMetricsQuery = z.object({
  run_id: nullable(Uuid),
  replica_num: StoredInteger.default(0),
  job_num: StoredInteger.default(0),
  limit: StoredInteger.default(1),
  after: nullable(Instant),
  before: nullable(Instant),
});
export type JobMetricsQuery = z.infer<typeof JobMetricsQuery>;

const MAX_EVENT_FILTERS = 16;
const ids = () => nullable(z.array(Uuid).min(1).max(MAX_EVENT_FILTERS));

const targetFilters = {
  target_projects: ids(),
  target_users: ids(),
  target_fleets: ids(),
  target_instances: ids(),
  target_runs: ids(),
  target_jobs: ids(),
  target_volumes: ids(),
  target_gateways: ids(),
  target_gateway_replicas: ids(),
  target_secrets: ids(),
  target_presets: ids(),
};

const withinFilters = {
  within_projects: ids(),
  within_fleets: ids(),
  within_runs: ids(),
  within_gateways: ids(),
};

/**
 * At most one `target_*` and one `within_*` filter. `actors` may contain null, which means the
 * system.
 */
export const ListEventsRequest = model({
  ...targetFilters,
  ...withinFilters,
  include_target_types: nullable(z.array(EventTargetType).min(1).max(MAX_EVENT_FILTERS)),
  actors: nullable(z.array(Uuid.nullable()).min(1).max(MAX_EVENT_FILTERS)),
  prev_recorded_at: nullable(Instant),
  prev_id: nullable(Uuid),
  limit: integer({ ge: 1, le: MAX_PAGE }).default(MAX_PAGE),
  ascending: Flag.default(false),
}).check((ctx) => {
  for (const filters of [targetFilters, withinFilters]) {
    const keys = Object.keys(filters) as (keyof typeof ctx.value)[];
    const given = keys.filter((key) => ctx.value[key] !== null);
    if (given.length <= 1) continue;
    ctx.issues.push({
      code: 'custom',
      input: ctx.value,
      message: `at most one of ${given.join(', ')} may be given`,
      params: { type: 'value_error', ctx: { error: {} } },
    });
  }
});
export type ListEventsRequest = z.infer<typeof ListEventsRequest>;
