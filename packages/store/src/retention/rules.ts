import type { DB } from '../schema/db.ts';

/** The settings by which rows or files are deleted. */
export type RetentionPeriod =
  | 'runs'
  | 'logs'
  | 'uploads'
  | 'records'
  | 'usage'
  | 'ledger'
  | 'ledger-days'
  | 'events'
  | 'metrics'
  | 'health'
  /** A time of its own, not a setting. */
  | 'own';

export type RetentionRule =
  /** Deleted this long after its end. */
  | { readonly keep: 'period'; readonly period: RetentionPeriod; readonly from: string }
  /** Deleted together with the row of another table. */
  | { readonly keep: 'with'; readonly owner: keyof DB }
  /** The present state: it grows with the installation, not with time. */
  | { readonly keep: 'present'; readonly why: string };

const period = (name: RetentionPeriod, from: string): RetentionRule => ({
  ...{ keep: 'period', period: name, from },
});
const withOwner = (owner: keyof DB): RetentionRule => ({ keep: 'with', owner });
const present = (why: string): RetentionRule => ({ keep: 'present', why });

/** How long each table keeps its rows. A table without a rule fails a test. */
export const RETENTION_RULES: Readonly<Record<keyof DB | 'dstack_migrations', RetentionRule>> = {
  runs: period('runs', 'the end of the run'),
  jobs: withOwner('runs'),
  job_reports: withOwner('jobs'),
  job_pulls: withOwner('jobs'),
  job_logs: withOwner('jobs'),
  job_liveness: withOwner('jobs'),
  probes: withOwner('jobs'),
  volume_uses: withOwner('jobs'),
  upload_uses: withOwner('runs'),
  run_dependencies: withOwner('runs'),
  run_arrays: withOwner('runs'),
  service_registrations: withOwner('runs'),
  service_requests: withOwner('runs'),
  service_load: withOwner('runs'),
  service_queries: withOwner('runs'),
  log_pieces: period('logs', 'the end of the job'),
  job_metrics_points: period('metrics', 'the measurement'),
  job_metrics_means: period('metrics', 'the measurement'),
  intents: period('records', 'the end of their subject, whose row they follow'),

  events: period('events', 'the event'),
  event_targets: withOwner('events'),

  codes: period('uploads', 'the last run that named it, or the last upload'),
  file_archives: period('uploads', 'the last run that named it, or the last upload'),
  blobs: period('uploads', 'the last upload that has it'),
  pending_deletions: present('what is being deleted: a row goes with the log or blob'),

  instances: period('records', 'its deletion, once no job names it'),
  hosts: withOwner('instances'),
  host_access: withOwner('instances'),
  host_health: withOwner('hosts'),
  observations: withOwner('instances'),
  instance_health_checks: period('health', 'the check'),
  fleets: period('records', 'its deletion, once no run or instance names it'),
  provider_groups: period('records', 'its deletion'),
  volumes: period('records', 'its deletion, once no job names it'),
  volume_attachments: withOwner('volumes'),
  volume_observations: withOwner('volumes'),
  gateways: period('records', 'its deletion, once no run names it'),
  gateway_replicas: period('events', 'its creation, once it is terminated and has a successor'),
  gateway_reports: withOwner('gateway_replicas'),
  gateway_deliveries: withOwner('gateway_replicas'),
  worker_deliveries: period('own', 'its last delivery, when another one is stored'),
  gateway_certificates: withOwner('gateways'),
  gateway_unproven_domains: withOwner('gateways'),
  gateway_issued_certificates: withOwner('gateways'),
  gateway_acme_accounts: withOwner('gateways'),

  model_usage: period('usage', 'the day'),
  service_token_usage: period('usage', 'the day'),
  ledger_parts: period('ledger', 'the day, and never before their run'),
  ledger_days: period('ledger-days', 'the day, and never before its parts'),
  service_rate_buckets: period('own', 'the moment at which the bucket is empty'),
  sessions: period('own', 'the end of its validity'),
  service_sessions: period('own', 'the end of its validity'),
  sign_in_codes: period('own', 'the end of its validity'),
  retired_tokens: period('records', 'the end of its validity'),

  users: present('people; a deleted one is named by events, runs and costs'),
  public_keys: withOwner('users'),
  user_identities: withOwner('users'),
  projects: present('a deleted one is named by runs and costs; there are few'),
  pools: present('as many as projects at most'),
  project_retention: withOwner('projects'),
  members: withOwner('projects'),
  backends: present('settings of projects'),
  secrets: present('settings of projects'),
  repos: present('one for each repository of a project'),
  repo_creds: withOwner('repos'),
  service_tokens: present('deleted by people'),
  exports: present('settings of projects'),
  exported_fleets: withOwner('exports'),
  exported_gateways: withOwner('exports'),
  imports: withOwner('exports'),
  quotas: present('settings of projects'),
  quota_uses: withOwner('quotas'),
  shares: present('one for each user of a project who has used a shared pool'),
  sweeps: present('one for each backend'),
  orphans: present('deleted when the resource has ended'),
  leases: present('held work only'),
  server_meta: present('facts about the installation; those about accounts are deleted unused'),
  dstack_migrations: present('one for each change of the schema'),
};
