import type { DependencyRecord, EndOutcome, MemberCounts, RunStatus } from '@dstack/core';
import type { ColumnType, Generated } from 'kysely';
import type * as account from './account-tables.ts';
import type { logPieceTable } from './log-piece-table.ts';
import type * as resource from './resource-tables.ts';
import type * as sweep from './sweep-tables.ts';
import type { RowOf } from './table.ts';
import type * as work from './work-tables.ts';

/** The owner of the present work on a row; written on shared databases only. */
export interface Lease {
  lease_owner: string | null;
  lease_expires_at: number | null;
}

/** Encrypted text. */
type Sealed = string;

/** Every table, as Kysely types queries. Records' columns come from the table descriptions. */
interface GatewayPemRow {
  gateway_id: string;
  domain: string;
  certificate: string;
  private_key: Sealed;
}

/** `tags_key`: a hash of `tags`, which are JSON; '' = none. */
export interface LedgerKey {
  day: number;
  project_id: string;
  fleet_id: string;
  fleet_name: string;
  user_id: string;
  gpu: string;
  tags: string;
  tags_key: string;
}

export interface LedgerSums {
  ms: number;
  gpu_ms: number;
  cost: number;
  unpriced_ms: number;
}

export interface DB {
  users: RowOf<typeof account.userTable> & {
    token_hash: string | null;
    token: Sealed | null;
    ssh_private_key: Sealed | null;
  };
  public_keys: RowOf<typeof account.publicKeyTable>;
  /** `pool_id`: null for a project that was deleted before there were pools. */
  projects: RowOf<typeof account.projectTable> & {
    ssh_private_key: Sealed;
    pool_id: string | null;
  } & Lease;
  /** Projects and fleets that are connected by the right to use. */
  pools: { id: string; version: number } & Lease;
  members: RowOf<typeof account.memberTable>;
  backends: RowOf<typeof account.backendTable> & { auth: Sealed; source_auth: Sealed | null };
  secrets: RowOf<typeof account.secretTable> & { value: Sealed };
  repos: RowOf<typeof account.repoTable>;
  /** `user_key`: the user's id, or '' for credentials of the whole project. */
  repo_creds: { repo_id: string; user_key: string; creds: Sealed };
  /** `used_at`: when it was last uploaded again or asked for, or a run that named it was deleted. */
  codes: RowOf<typeof account.codeTable> & { used_at: number | null };
  file_archives: RowOf<typeof account.archiveTable> & { used_at: number | null };
  log_pieces: RowOf<typeof logPieceTable>;
  /** `stored_at`: of the last upload. */
  blobs: { sha256: string; bytes: Uint8Array; stored_at: number | null };
  /** Null = the server's setting. All logs of jobs that ended up to the last two columns are deleted. */
  project_retention: {
    project_id: string;
    runs_seconds: number | null;
    logs_seconds: number | null;
    events_seconds: number | null;
    metrics_seconds: number | null;
    logs_finished_at: number;
    logs_job_id: string;
    metrics_finished_at: Generated<number>;
    metrics_job_id: Generated<string>;
  };
  /** `key`: the id of a job (`log`), or a SHA-256 (`blob`). */
  pending_deletions: {
    kind: string;
    key: string;
    project: string;
    run: string;
    due_at: number;
  };
  /** `upload`: the id of a row of `codes` or `file_archives`. */
  upload_uses: { run_id: string; upload: string };
  /** The runs that a run waits for, in the order of its configuration. They may be deleted before it. */
  run_dependencies: {
    run_id: string;
    position: number;
    upstream_id: string;
    name: string;
    condition: DependencyRecord['on'];
    keep: boolean;
    outcome: EndOutcome | null;
  };
  service_tokens: RowOf<typeof account.serviceTokenTable> & { token_hash: string };
  /** Hashes of the two parts of the proof, and of the token with which it was opened. */
  sessions: RowOf<typeof account.sessionTable> & {
    key_hash: string;
    secret_hash: string;
    token_hash: string;
  };
  /** `hash`: of a code while `state_hash` is not null, then of a cookie. */
  service_sessions: {
    hash: string;
    session_id: string;
    run_id: string;
    state_hash: string | null;
    created_at: number;
    expires_at: number;
  };
  /** Accounts at providers, by which users sign in. */
  /** One of `user_id` and `refusal` is set. */
  sign_in_codes: {
    hash: string;
    state_hash: string;
    user_id: string | null;
    refusal: string | null;
    created_at: number;
    expires_at: number;
  };
  user_identities: { issuer: string; subject: string; user_id: string; created_at: number };
  retired_tokens: { token_hash: string; retired_at: number };
  server_meta: { key: string; value: string };

  /** `noted_deployment`: the last one whose uploads are in `upload_uses`. */
  runs: RowOf<typeof work.runTable> &
    Lease & {
      noted_deployment: Generated<number>;
      /** The status in which `run_arrays` counts a member; null = it is none. */
      counted_status: Generated<RunStatus | null>;
    };
  /** Arrays, with the number of their members by status. */
  run_arrays: MemberCounts & {
    run_id: string;
    /** 1 until the run has ended: then nothing of it waits any more. */
    is_open: number;
    total: number;
    max_parallel: number;
    max_failures: number;
    next_position: number;
    generation: number;
    directive: ColumnType<unknown, string, string>;
    early: ColumnType<unknown, string, string>;
  };
  /** `user_id`: of its run; empty in jobs of servers of an older version. */
  jobs: RowOf<typeof work.jobTable> & { user_id: Generated<string> };
  instances: RowOf<typeof work.instanceTable> & Lease;
  /** `deletion_seen_at`: when retention first found it deleted. */
  fleets: RowOf<typeof work.fleetTable> &
    Lease & { deletion_seen_at: number | null; pool_id: string | null };
  intents: RowOf<typeof work.intentTable> & Lease;
  hosts: RowOf<typeof work.hostTable> & Lease;
  host_health: RowOf<typeof work.hostHealthTable>;
  /** `host_keys`: JSON text. */
  observations: RowOf<typeof work.observationTable>;
  host_access: { instance_id: string; access: Sealed; host_keys: string };
  job_reports: RowOf<typeof work.reportTable>;
  job_pulls: RowOf<typeof work.pullTable>;
  job_logs: RowOf<typeof work.logTable>;
  probes: RowOf<typeof work.probeTable>;
  job_liveness: { job_id: string; failures: number };
  /** `second` since the epoch; `owner`: the process that counted them. */
  service_requests: { run_id: string; second: number; owner: string; requests: number };
  /** `slot`: of `LOAD_SLOT` seconds, since the epoch; `latencies`: JSON. */
  service_load: {
    run_id: string;
    slot: number;
    owner: string;
    busy_ms: number;
    latencies: string;
  };
  /** Last answers of Prometheus. */
  service_queries: {
    run_id: string;
    key: string;
    value: number | null;
    error: string | null;
    at: number;
  };
  service_rate_buckets: { key: string; excess: number; at: number; allowed: number };
  /** `day`: days since the epoch. */
  model_usage: {
    project_id: string;
    user_id: string;
    model: string;
    day: number;
    requests: number;
    aborted: number;
    estimated: number;
    prompt_tokens: number;
    completion_tokens: number;
  };
  /** `day`: days since the epoch; `tokens`: of prompts and answers. */
  service_token_usage: { token_id: string; day: number; requests: number; tokens: number };
  job_metrics_points: RowOf<typeof work.pointTable>;
  /** Means of `points` measurements within so many `seconds`; the time and CPU use are of the last. */
  job_metrics_means: RowOf<typeof work.pointTable> & { seconds: number; points: number };
  instance_health_checks: RowOf<typeof work.healthCheckTable>;

  events: {
    id: string;
    message: string;
    actor_user_id: string | null;
    recorded_at: number;
    /** Null: the row has only its text. */
    action: string | null;
    /** JSON. */
    data: string | null;
    outcome: string | null;
    actor_token_id: string | null;
    actor_token_name: string | null;
    actor_address: string | null;
  };
  /** `recorded_at` is the event's: pages of filtered lists are read from this table alone. */
  event_targets: {
    event_id: string;
    target_num: number;
    type: string;
    target_id: string;
    name: string;
    project_id: string | null;
    parent_id: string | null;
    recorded_at: number;
  };

  volumes: RowOf<typeof resource.volumeTable> & Lease;
  volume_attachments: RowOf<typeof resource.attachmentTable>;
  volume_uses: RowOf<typeof resource.volumeUseTable>;
  volume_observations: RowOf<typeof resource.volumeObservationTable>;
  gateways: RowOf<typeof resource.gatewayTable> & Lease;
  gateway_certificates: GatewayPemRow;
  /** Requested by replicas, which share them. */
  gateway_issued_certificates: GatewayPemRow;
  gateway_acme_accounts: { gateway_id: string; directory: string; private_key: Sealed };
  gateway_unproven_domains: { gateway_id: string; domain: string };
  gateway_deliveries: { replica_id: string; kind: string; batch: string };
  worker_deliveries: { worker_id: string; kind: string; batch: string; delivered_at: number };
  gateway_reports: RowOf<typeof resource.gatewayReportTable>;
  gateway_replicas: RowOf<typeof resource.replicaTable> & { ssh_private_key: Sealed } & Lease;
  /** `subject_id`: the job's id, or the run's for the service itself. */
  service_registrations: RowOf<typeof resource.registrationTable> & { subject_id: string };
  provider_groups: RowOf<typeof resource.groupTable> & Lease;
  sweeps: RowOf<typeof sweep.sweepTable>;
  orphans: RowOf<typeof sweep.orphanTable>;
  leases: { name: string } & Lease;
  quotas: RowOf<typeof resource.quotaTable>;
  /** `user_id`: '' = all users of the quota together. */
  quota_uses: { quota_id: string; user_id: string; resource: string; used: number };
  /** `used`: GPU hours at the time `settled_at`; `rate`: of the present claims, in millionths of a GPU. */
  shares: { project_id: string; user_id: string; used: number; rate: number; settled_at: number };
  /**
   * The parts of priced intervals on each day. `day`: days since the epoch. `run_id`, `run_name` and `user_id`: '' = the whole
   * machine. `cost`: micro-dollars.
   */
  ledger_parts: LedgerKey & {
    id: string;
    subject_id: string;
    instance_id: string;
    run_id: string;
    run_name: string;
    price: number | null;
    blocks: number;
    total_blocks: number;
    gpus: number;
    began_at: number;
    ended_at: number;
    since: number;
    until: number;
  } & LedgerSums;
  /** Sums of them. */
  ledger_days: LedgerKey & LedgerSums;
  exports: RowOf<typeof resource.exportTable>;
  exported_fleets: { export_id: string; fleet_id: string };
  exported_gateways: { export_id: string; gateway_id: string };
  imports: { id: string; project_id: string; export_id: string; created_at: number };
}
