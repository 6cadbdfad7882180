/** Requests that dstack 0.22.5 does not have. */
import * as z from 'zod';
import { checkTerms, quotaTermsShape } from '../configuration/quota.ts';
import { withRules } from '../configuration/rules.ts';
import { CostGroup } from '../wire/cost.ts';
import { RunSpec } from '../wire/run.ts';
import {
  choiceOf,
  Flag,
  Instant,
  integer,
  model,
  nullable,
  PlainText,
  Text,
  text,
  Uuid,
} from '../wire/scalars.ts';
import { ServiceTokenScope } from '../wire/service-token.ts';
import { MOST_TRAFFIC_SERVICES } from '../wire/service-traffic.ts';
import { StoredInteger } from './requests-work.ts';

/** `persistent`: the session outlives the browser. */
export const OpenSessionRequest = model({ persistent: Flag.default(false) });
export type OpenSessionRequest = z.infer<typeof OpenSessionRequest>;

/**
 * A request to sign in a visitor whom a service has sent: the host name of the service, the state of the
 * browser, and the path with its query that the visitor opened.
 */
export const ServiceSignInRequest = model({ host: Text, state: Text, path: Text.default('/') });
export type ServiceSignInRequest = z.infer<typeof ServiceSignInRequest>;
/**
 * `local_port`: where a client waits for the provider's redirect; null: a page of the server does. `challenge` is ours: the
 * SHA-256 of a verifier in base64url, which the client proves in the callback.
 */
export const OAuthAuthorizeRequest = model({
  local_port: nullable(integer({ ge: 1, le: 65535 })),
  base_url: nullable(Text),
  challenge: nullable(Text),
});
export type OAuthAuthorizeRequest = z.infer<typeof OAuthAuthorizeRequest>;

/** The parameters of the provider's redirect. `iss` and `verifier` are ours: other clients do not send them. */
export const OAuthCallbackRequest = model({
  code: Text,
  state: Text,
  iss: nullable(Text),
  base_url: nullable(Text),
  verifier: nullable(Text),
});
export type OAuthCallbackRequest = z.infer<typeof OAuthCallbackRequest>;

export const OpenProviderSessionRequest = model({
  code: Text,
  state: Text,
  iss: nullable(Text),
  persistent: Flag.default(false),
});
export type OpenProviderSessionRequest = z.infer<typeof OpenProviderSessionRequest>;

/** The run as it would be submitted. */
export const ExplainPlanRequest = model({ run_spec: RunSpec });
export type ExplainPlanRequest = z.infer<typeof ExplainPlanRequest>;

/** The most runs to return, from the head of the queue. */
export const ListQueueRequest = model({ limit: integer({ ge: 1, le: 1000 }).default(100) });
export type ListQueueRequest = z.infer<typeof ListQueueRequest>;

/** Instances of other fleets than those that the project has or imports are left out of the answer. */
export const CapacityBoardRequest = model({ instance_ids: z.array(Uuid).max(100) });
export type CapacityBoardRequest = z.infer<typeof CapacityBoardRequest>;

/** `project_name`: only this project; default: all that the caller may see. */
export const OverviewQuery = z.object({ project_name: nullable(Text) });
export type OverviewQuery = z.infer<typeof OverviewQuery>;

/**
 * `since` inclusive, default 30 days before `until`; `until` exclusive, default now. `project_name`
 * as in `OverviewQuery`.
 */
export const CostQuery = z.object({
  project_name: nullable(Text),
  since: nullable(Instant),
  until: nullable(Instant),
  by: CostGroup.default('run'),
  /** With `by=tag`: the key of the tag. */
  tag: nullable(Text),
});
export type CostQuery = z.infer<typeof CostQuery>;

/** `project_name`: only quotas of this project; default: of all that the caller may see. */
export const ListQuotasRequest = model({ project_name: nullable(Text) });
export type ListQuotasRequest = z.infer<typeof ListQuotasRequest>;

/** `fleet_name`: `project/fleet` for a fleet of another project; `user_name`: `*` = each user. */
const quotaPlaceShape = {
  project_name: Text,
  fleet_name: nullable(Text),
  user_name: nullable(Text),
};

/** A quota of the same project, fleet and user is replaced. */
export const QuotaToApply = withRules(
  model({ ...quotaPlaceShape, ...quotaTermsShape }),
  checkTerms,
);
export type QuotaToApply = z.infer<typeof QuotaToApply>;

/** Quotas of one request. */
const MAX_QUOTAS = 100;

export const ApplyQuotasRequest = model({ quotas: z.array(QuotaToApply).min(1).max(MAX_QUOTAS) });
export type ApplyQuotasRequest = z.infer<typeof ApplyQuotasRequest>;

export const DeleteQuotasRequest = model({
  quotas: z.array(model(quotaPlaceShape)).min(1).max(MAX_QUOTAS),
});
export type DeleteQuotasRequest = z.infer<typeof DeleteQuotasRequest>;

/** Instances of one request. */
const MAX_NAMED = 1000;

/** Names as in lists: `lab-0`. */
const InstanceNames = z.array(Text).min(1).max(MAX_NAMED);

/** Ten years, in seconds. */
const LONGEST_CORDON = 10 * 365 * 86_400;

/**
 * When the instances get jobs again by themselves: at `until`, or after `seconds` by the server's clock;
 * both null = not before they are uncordoned.
 */
export const CordonInstancesRequest = model({
  names: InstanceNames,
  reason: nullable(PlainText),
  until: nullable(Instant),
  seconds: nullable(integer({ ge: 1, le: LONGEST_CORDON })),
});
export type CordonInstancesRequest = z.infer<typeof CordonInstancesRequest>;

/** In seconds: an hour, and 30 days. */
export const DEFAULT_DRAIN = 3600;
const LONGEST_DRAIN = 30 * 86_400;

/** `seconds`: until then, by the server's clock, the jobs of the instances have to have left them. */
export const DrainInstancesRequest = model({
  names: InstanceNames,
  reason: nullable(PlainText),
  seconds: integer({ ge: 1, le: LONGEST_DRAIN }).default(DEFAULT_DRAIN),
});
export type DrainInstancesRequest = z.infer<typeof DrainInstancesRequest>;

export const UncordonInstancesRequest = model({ names: InstanceNames });
export type UncordonInstancesRequest = z.infer<typeof UncordonInstancesRequest>;

/** Instances that the caller may not see, or that do not exist, are left out of the answer. */
export const RecentUseRequest = model({ instance_ids: z.array(Uuid).max(100) });
export type RecentUseRequest = z.infer<typeof RecentUseRequest>;

/** Selects the latest submissions of these jobs, from `after` on; jobs that the run does not have are left out. */
export const MetricsHistoryRequest = model({
  run_id: Uuid,
  jobs: z
    .array(model({ replica_num: StoredInteger, job_num: StoredInteger }))
    .min(1)
    .max(16),
  after: nullable(Instant),
  /** The most points of a series. */
  points: integer({ ge: 2, le: 500 }).default(400),
});
export type MetricsHistoryRequest = z.infer<typeof MetricsHistoryRequest>;

/** The longest lifetime of a token in seconds: ten years. */
const LONGEST = 10 * 365 * 86_400;

const TokenLimit = nullable(integer({ ge: 1, le: Number.MAX_SAFE_INTEGER }));

/**
 * `expires_in`: seconds from now; null = until it is deleted. `models` and the limits need the scope
 * `models`; null = all models, no limit. `services`: names of runs, for the scope `services`, which needs
 * them.
 */
export const CreateServiceTokenRequest = model({
  name: Text,
  scope: ServiceTokenScope.default('read'),
  expires_in: nullable(integer({ ge: 1, le: LONGEST })),
  models: nullable(z.array(Text).min(1).max(100)),
  services: nullable(z.array(Text).min(1).max(100)),
  requests_per_minute: nullable(integer({ ge: 1, le: 1_000_000 })),
  tokens_per_day: TokenLimit,
  tokens_per_month: TokenLimit,
});
export type CreateServiceTokenRequest = z.infer<typeof CreateServiceTokenRequest>;

export const RolloutRequest = model({
  run_name: Text,
  action: choiceOf(['pause', 'resume', 'undo']),
});
export type RolloutRequest = z.infer<typeof RolloutRequest>;

export const HoldRunsRequest = model({ runs_names: z.array(Text) });
export type HoldRunsRequest = z.infer<typeof HoldRunsRequest>;

export const SetRunPriorityRequest = model({
  run_name: Text,
  priority: integer({ ge: 0, le: 100 }),
});
export type SetRunPriorityRequest = z.infer<typeof SetRunPriorityRequest>;

/** By name the present run, by id deleted ones too. `name`: of the new run; null = the same. */
export const RerunRequest = model({
  run_name: nullable(Text),
  id: nullable(Uuid),
  name: nullable(Text),
  /** If the run is that of an array: only the members that are not done. */
  failed_only: Flag.default(false),
});
export type RerunRequest = z.infer<typeof RerunRequest>;

/** Seconds, an hour to a hundred years; null = as the server's setting. */
export const SetRetentionRequest = model({
  runs_seconds: nullable(integer({ ge: 3600, le: 3_155_760_000 })),
  logs_seconds: nullable(integer({ ge: 3600, le: 3_155_760_000 })),
  events_seconds: nullable(integer({ ge: 3600, le: 3_155_760_000 })),
  metrics_seconds: nullable(integer({ ge: 3600, le: 3_155_760_000 })),
});
export type SetRetentionRequest = z.infer<typeof SetRetentionRequest>;

/** `since`: null = the last 30 days. */
export const ModelUsageQuery = z.object({ since: nullable(Instant) });
export type ModelUsageQuery = z.infer<typeof ModelUsageQuery>;

export const ListTrafficRequest = model({
  run_names: z.array(Text).max(MOST_TRAFFIC_SERVICES),
});
export type ListTrafficRequest = z.infer<typeof ListTrafficRequest>;

export const DeleteServiceTokensRequest = model({ names: z.array(Text) });
export type DeleteServiceTokensRequest = z.infer<typeof DeleteServiceTokensRequest>;

/** In PEM: the gateway's own certificate and then its chain, and the private key without a password. */
export const SetGatewayCertificateRequest = model({
  name: Text,
  certificate: text({ max: 64 * 1024 }),
  key: text({ max: 16 * 1024 }),
});
export type SetGatewayCertificateRequest = z.infer<typeof SetGatewayCertificateRequest>;

/** `after`: positions of an earlier answer, by number of the replica; omitted: the last `lines` of each. */
export const GatewayLogsRequest = model({
  name: Text,
  replica: nullable(integer({ ge: 0 })),
  lines: integer({ ge: 0, le: 500 }).default(100),
  after: nullable(z.record(text({ max: 16 }), text({ max: 64 }))),
});
export type GatewayLogsRequest = z.infer<typeof GatewayLogsRequest>;

/** `domain`: of a certificate, or a name that it is for; null = all that have failed. */
export const RenewGatewayCertificatesRequest = model({
  name: Text,
  domain: nullable(text({ max: 256 })),
});
export type RenewGatewayCertificatesRequest = z.infer<typeof RenewGatewayCertificatesRequest>;

/** `domain`: a name that a certificate was set for, such as `*.apps.example.com`; null = all. */
export const DeleteGatewayCertificateRequest = model({ name: Text, domain: nullable(Text) });
export type DeleteGatewayCertificateRequest = z.infer<typeof DeleteGatewayCertificateRequest>;
