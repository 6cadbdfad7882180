/**
 * The data of an event, by its action. An existing shape only gains optional keys: rows of earlier versions
 * are read with the present types.
 */
import type {
  FleetStatus,
  GatewayReplicaStatus,
  GatewayStatus,
  HealthStatus,
  InstanceStatus,
  JobStatus,
  RunStatus,
  VolumeStatus,
} from '../status/index.ts';
import type { EventAction } from './event-actions.ts';

/** Nothing but the targets is needed. */
export type NoData = Readonly<Record<string, never>>;

/** A field of a configuration that was changed, by its path. */
export interface FieldChange {
  readonly field: string;
  /** JSON; null = not set. Absent if `hidden` is set. */
  readonly before?: unknown;
  readonly after?: unknown;
  /** `secret`: may contain credentials. `size`: too long for an event. */
  readonly hidden?: 'secret' | 'size';
}

/** `fields` are their names, in the order of the text. */
interface ConfigurationChange {
  readonly fields: readonly string[];
  readonly changes?: readonly FieldChange[];
}

/** `fleet`, `user`: null = the quota is not limited to one. */
interface QuotaPlace {
  readonly fleet: string | null;
  readonly user: string | null;
}

interface StatusChange<Status> {
  readonly from: Status;
  readonly to: Status;
  readonly message: string | null;
}

interface StatusChangeWithReason<Status> extends StatusChange<Status> {
  /** Why it ends; null unless `to` is an ending status. */
  readonly reason: string | null;
}

interface Blocks {
  readonly busy_blocks: number;
  readonly total_blocks: number;
}

/** `kind`: of placement (close together) or of machines ordered together. */
interface GroupData {
  readonly kind: 'placement' | 'compute';
  readonly name: string;
}

interface MaintenanceData {
  readonly starts_at: string;
  readonly ends_at: string;
}

interface Place {
  readonly backend: string | null;
  readonly region: string | null;
}

interface Certificates {
  /** The first ones. */
  readonly domains: readonly string[];
  /** How many more. */
  readonly omitted: number;
  /** ISO 8601; null = unknown. */
  readonly expires_at: string | null;
}

interface MemberChanges {
  /** The first ones, with the role after the change; the last role of those who were removed. */
  readonly members: readonly { readonly username: string; readonly role: string }[];
  /** How many more. */
  readonly omitted: number;
  /** The first ones whose role is another now; null = not a member. */
  readonly changes?: readonly {
    readonly username: string;
    readonly from: string | null;
    readonly to: string | null;
  }[];
}

/** Times in ISO 8601. */
export interface DatabaseRestored {
  /** When the backup was made: changes since then are lost. */
  readonly backup_created_at: string;
  readonly restored_at: string;
  /** The version of the server that made the backup. */
  readonly backup_version: string;
}

interface OrphanData {
  readonly kind: string;
  /** The backend's id of the resource. */
  readonly id: string;
  readonly backend: string;
}

/** The shape of `data` by `action`. */
export interface EventData {
  legacy: { readonly text: string };

  'run.submitted': { readonly status: RunStatus };
  'run.updated': ConfigurationChange & { readonly deployment: number };
  'run.status_changed': StatusChangeWithReason<RunStatus>;
  'run.deleted': NoData;
  'run.dependencies_met': NoData;
  /** `run`: that it depends on; `outcome`: how that one ended. */
  'run.dependency_unmet': {
    readonly run: string;
    readonly on: 'success' | 'end' | 'failure';
    readonly outcome: 'success' | 'failure';
  };
  'run.held': NoData;
  /** `placed`: the hold came too late, since the run had its place already. */
  'run.released': { readonly why: 'request' | 'placed' };
  /** `group` null: the service has no groups. */
  'run.scaled': {
    readonly group: string | null;
    readonly from: number;
    readonly to: number;
    readonly why: string;
  };
  'run.rollout_held': NoData;
  'run.rollout_paused': NoData;
  'run.rollout_resumed': NoData;
  /** `deployment` has the configuration of `restored` again. */
  'run.rolled_back': {
    readonly failed: number;
    readonly deployment: number;
    readonly restored: number;
    readonly message: string;
  };
  'run.query_failed': { readonly query: string; readonly error: string };
  'run.query_recovered': { readonly query: string };

  'job.created': {
    readonly on: 'run submission' | 'new submission' | 'retry';
    readonly status: JobStatus;
  };
  'job.status_changed': StatusChangeWithReason<JobStatus>;
  'job.waiting': { readonly why: string };
  'job.assigned': Blocks;
  'job.unassigned': Blocks;
  'job.reachable': NoData;
  'job.unreachable': NoData;
  'job.replica_ready': NoData;
  /** `errors`: in a row; null = the rate is the cause. Rates are parts of all recent answers, from 0 to 1. */
  'job.replica_avoided': {
    readonly seconds: number;
    readonly errors: number | null;
    readonly rate: number | null;
    readonly others: number | null;
  };
  'job.graceful_stop_requested': NoData;
  /** Times: ISO 8601. */
  'job.notice_given': {
    readonly message: string;
    readonly interrupt_at: string;
    readonly ends_at: string;
  };
  'job.notice_withdrawn': NoData;

  'instance.created': {
    readonly why: 'job' | 'fleet submission' | 'fleet update' | 'target fleet node count';
    readonly status: InstanceStatus;
  };
  'instance.provisioning': { readonly stage: string };
  'instance.provisioned': { readonly status: InstanceStatus };
  'instance.status_changed': StatusChangeWithReason<InstanceStatus>;
  'instance.health_changed': StatusChange<HealthStatus>;
  'instance.reachable': NoData;
  'instance.unreachable': NoData;
  /** `until`: ISO 8601; null = until it is uncordoned. */
  'instance.cordoned': { readonly until: string | null; readonly reason: string | null };
  /** `expired`: the end of the cordon has come. */
  'instance.uncordoned': { readonly expired: boolean };
  /** `deadline`: ISO 8601. */
  'instance.draining': { readonly deadline: string; readonly reason: string | null };
  'instance.drained': NoData;
  /** The fleet's new number of blocks waited for the instance to be free. */
  'instance.divided': { readonly before: number | null; readonly blocks: number };
  /** `reason`: in the words of the provider. `deadline`: ISO 8601, when the last job has to have left. */
  'instance.taken_back': { readonly reason: string; readonly deadline: string };
  'instance.machine_abandoned': {
    readonly instance: string;
    /** Id and address, as far as they are known. */
    readonly ids: readonly string[];
  } & Place;

  'fleet.created': { readonly status: FleetStatus };
  'fleet.updated': ConfigurationChange;
  'fleet.status_changed': StatusChange<FleetStatus>;
  'fleet.consolidation_stopped': { readonly attempts: number };
  /** Times: ISO 8601. */
  'fleet.maintenance_announced': MaintenanceData;
  'fleet.maintenance_began': MaintenanceData;
  /** `early`: the configuration no longer has this window. */
  'fleet.maintenance_ended': { readonly early: boolean };
  'fleet.group_created': GroupData & Place;
  'fleet.group_failed': GroupData & { readonly message: string };
  'fleet.group_deleted': GroupData;
  /** `id`: the backend's. */
  'fleet.group_abandoned': GroupData & Place & { readonly id: string | null };

  'volume.created': { readonly status: VolumeStatus };
  'volume.status_changed': StatusChange<VolumeStatus>;
  'volume.problem_reported': { readonly problem: string };
  'volume.problem_resolved': NoData;
  'volume.attached': NoData;
  'volume.detached': NoData;
  'volume.deletion_requested': { readonly by: 'user' | 'auto-cleanup' };
  'volume.deleted': NoData;
  'volume.data_abandoned': {
    readonly volume: string;
    /** The backend's id, or the volume's own. */
    readonly id: string;
    readonly backend: string;
    readonly why: string;
  };

  'gateway.created': { readonly status: GatewayStatus };
  'gateway.updated': ConfigurationChange;
  'gateway.status_changed': StatusChange<GatewayStatus>;
  'gateway.domain_changed': { readonly from: string | null; readonly to: string };
  'gateway.domain_unproven': { readonly domain: string; readonly why: string };
  /** `until` is a date. */
  'gateway.certificate_set': { readonly domain: string; readonly until: string };
  'gateway.certificate_deleted': { readonly domain: string };
  'gateway.certificate_renewed': Certificates;
  'gateway.certificate_ending': Certificates & { readonly message: string | null };
  'gateway.certificate_expired': Certificates & { readonly message: string | null };
  'gateway.default_set': NoData;
  'gateway.default_unset': NoData;
  'gateway.deletion_requested': NoData;
  'gateway.deleted': NoData;
  'gateway.machine_abandoned': {
    readonly gateway: string;
    readonly id: string;
    readonly backend: string | null;
  };
  'gateway.replica_created': { readonly status: GatewayReplicaStatus };
  /** `replica`: its number. */
  'gateway.replica_cut_off': { readonly gateway: string; readonly replica: number };
  'gateway.replica_not_plain': {
    readonly gateway: string;
    readonly replica: number;
    readonly why: string;
  };
  'gateway.replica_status_changed': StatusChange<GatewayReplicaStatus>;

  'project.created': NoData;
  'project.updated': ConfigurationChange;
  'project.deleted': NoData;
  'project.members_set': MemberChanges;
  'project.members_added': MemberChanges;
  'project.members_removed': MemberChanges;
  /** The owner's names are those of the provider's tags; null = not known. */
  'project.orphan_found': OrphanData & {
    readonly project: string | null;
    readonly fleet: string | null;
    readonly instance: string | null;
  };
  'project.orphan_settled': OrphanData & {
    readonly how: 'accounted_for' | 'terminated' | 'disappeared';
  };
  'project.restored': DatabaseRestored;

  /** `backend`: its type. The target is its project. */
  'backend.created': { readonly backend: string };
  'backend.updated': ConfigurationChange & { readonly backend: string };
  'backend.deleted': { readonly backend: string };
  'service_token.created': { readonly name: string; readonly scope: string };
  'service_token.deleted': { readonly name: string };
  'export.created': { readonly name: string };
  'export.updated': { readonly name: string };
  'export.deleted': { readonly name: string };
  'import.deleted': { readonly name: string };
  'quota.applied': QuotaPlace & { readonly changes?: readonly FieldChange[] };
  'quota.deleted': QuotaPlace;
  'secret.created': NoData;
  'secret.updated': NoData;
  'secret.deleted': NoData;

  /** `endpoint`: its name in the endpoint table. */
  'request.refused': { readonly endpoint: string; readonly reason: string };

  'user.created': { readonly global_role: string };
  'user.updated': ConfigurationChange;
  'user.deleted': NoData;
  'user.token_refreshed': NoData;
  'user.ssh_key_refreshed': NoData;
  'user.public_key_added': { readonly fingerprint: string };
  'user.public_key_deleted': { readonly fingerprint: string };
}

export type EventDataOf<A extends EventAction> = EventData[A];
