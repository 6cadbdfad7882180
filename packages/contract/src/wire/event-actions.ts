/**
 * Names of what happened. The list may grow, so `action` is a plain string on the wire, and clients accept
 * names that they do not know. A name is never reused for something else.
 */
export const EVENT_ACTIONS = [
  /** An event that was stored before events had actions: it has only its text. */
  'legacy',

  'run.submitted',
  'run.updated',
  'run.status_changed',
  'run.deleted',
  'run.held',
  'run.released',
  'run.scaled',
  'run.rollout_held',
  'run.rollout_paused',
  'run.rollout_resumed',
  'run.rolled_back',
  'run.query_failed',
  'run.query_recovered',

  'job.created',
  'job.status_changed',
  'job.waiting',
  'job.assigned',
  'job.unassigned',
  'job.reachable',
  'job.unreachable',
  'job.replica_ready',
  'job.graceful_stop_requested',
  'job.notice_given',
  'job.notice_withdrawn',

  'instance.created',
  'instance.provisioning',
  'instance.provisioned',
  'instance.status_changed',
  'instance.health_changed',
  'instance.reachable',
  'instance.unreachable',
  'instance.cordoned',
  'instance.uncordoned',
  'instance.draining',
  'instance.drained',
  'instance.machine_abandoned',

  'fleet.created',
  'fleet.updated',
  'fleet.status_changed',
  'fleet.consolidation_stopped',
  'fleet.group_created',
  'fleet.group_failed',
  'fleet.group_deleted',
  'fleet.group_abandoned',

  'volume.created',
  'volume.status_changed',
  'volume.problem_reported',
  'volume.problem_resolved',
  'volume.attached',
  'volume.detached',
  'volume.deletion_requested',
  'volume.deleted',
  'volume.data_abandoned',

  'gateway.created',
  'gateway.updated',
  'gateway.status_changed',
  'gateway.domain_changed',
  'gateway.domain_unproven',
  'gateway.certificate_set',
  'gateway.certificate_deleted',
  'gateway.certificate_renewed',
  'gateway.certificate_ending',
  'gateway.certificate_expired',
  'gateway.default_set',
  'gateway.default_unset',
  'gateway.deletion_requested',
  'gateway.deleted',
  'gateway.machine_abandoned',
  'gateway.replica_created',
  'gateway.replica_cut_off',
  'gateway.replica_status_changed',

  'project.created',
  'project.updated',
  'project.deleted',
  'project.members_set',
  'project.members_added',
  'project.members_removed',
  'project.orphan_found',
  'project.orphan_settled',
  /** The database was replaced by a backup of an earlier time. */
  'project.restored',

  'backend.created',
  'backend.updated',
  'backend.deleted',
  'service_token.created',
  'service_token.deleted',
  'export.created',
  'export.updated',
  'export.deleted',
  'import.deleted',
  'quota.applied',
  'quota.deleted',
  'secret.created',
  'secret.updated',
  'secret.deleted',

  /** A change that its caller may not make. */
  'request.refused',

  'user.created',
  'user.updated',
  'user.deleted',
  'user.token_refreshed',
  'user.ssh_key_refreshed',
  'user.public_key_added',
  'user.public_key_deleted',
] as const;

export type EventAction = (typeof EVENT_ACTIONS)[number];

/** `refused`: the actor requested the action, and was not allowed to. The list may grow. */
export const EVENT_OUTCOMES = ['done', 'refused'] as const;
export type EventOutcome = (typeof EVENT_OUTCOMES)[number];
