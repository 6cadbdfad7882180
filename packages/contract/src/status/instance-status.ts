/**
 * The status of an instance, which may not have a machine yet.
 *
 *   pending ──► provisioning ──► idle ◄──► busy
 *     │  └──────(SSH host)────────►│         │
 *     │               │            │         │
 *     │               └────────────┴─────────┴──► terminating ──► terminated
 *     └── no offer, never added ─────────────────────────────────────►┘
 *
 * `pending` with `provisioningJobId` is a placeholder: its job's machine is being created, and the row
 * is deleted if that fails. An instance stays `terminating` until its backend confirms the end, because
 * a machine that keeps running costs money. Only if the backend was removed, the instance ends with an
 * alarm that names the machine.
 */
import type { Transitions } from './transitions.ts';

export const INSTANCE_STATUSES = [
  'pending',
  'provisioning',
  'idle',
  'busy',
  'terminating',
  'terminated',
] as const;
export type InstanceStatus = (typeof INSTANCE_STATUSES)[number];

/** A plain string for clients, so the list may grow. */
export const INSTANCE_TERMINATION_REASONS = [
  'terminated_by_user',
  'idle_timeout',
  'provisioning_timeout',
  'error',
  'job_finished',
  'unreachable',
  'no_offers',
  'master_failed',
  'max_instances_limit',
  'fleet_spec_mismatch',
  'no_balance',
  'interrupted',
  'out_of_memory',
] as const;
export type InstanceTerminationReason = (typeof INSTANCE_TERMINATION_REASONS)[number];

export const INSTANCE_TRANSITIONS: Transitions<InstanceStatus> = {
  pending: ['provisioning', 'idle', 'terminating', 'terminated'],
  provisioning: ['idle', 'busy', 'terminating'],
  idle: ['busy', 'terminating'],
  busy: ['idle', 'terminating'],
  terminating: ['terminated'],
  terminated: [],
};

export const isInstancePending = (status: InstanceStatus): boolean => status === 'pending';
export const isInstanceProvisioning = (status: InstanceStatus): boolean =>
  status === 'provisioning';
export const isInstanceIdle = (status: InstanceStatus): boolean => status === 'idle';
export const isInstanceBusy = (status: InstanceStatus): boolean => status === 'busy';
export const isInstanceTerminating = (status: InstanceStatus): boolean => status === 'terminating';
export const isInstanceTerminated = (status: InstanceStatus): boolean => status === 'terminated';

/** In service: jobs can run on it. */
export const isInstanceAvailable = (status: InstanceStatus): boolean =>
  status === 'idle' || status === 'busy';

/** Its machine has not been created or has not started. */
export const isInstanceStarting = (status: InstanceStatus): boolean =>
  status === 'pending' || status === 'provisioning';

/** It counts against `nodes.max` of its fleet. */
export const isInstanceActive = (status: InstanceStatus): boolean =>
  status !== 'terminating' && status !== 'terminated';

/**
 * An SSH host: a user's own server in an SSH fleet. It is never created or terminated, and has no
 * time limit while it is only unreachable. In the API the server host has the same backend, with the
 * region `local`.
 */
export const isSshHost = (backend: string | null): boolean => backend === 'remote';

/** The server host as answers show it: with the backend of SSH hosts, in a region of its own. */
export const isServerHostOnWire = (instance: {
  readonly backend?: string | null | undefined;
  readonly region?: string | null | undefined;
}): boolean => isSshHost(instance.backend ?? null) && instance.region === 'local';

/** The same sets for queries. */
export const AVAILABLE_INSTANCE_STATUSES = INSTANCE_STATUSES.filter(isInstanceAvailable);
export const ENDING_INSTANCE_STATUSES = INSTANCE_STATUSES.filter(
  (status) => !isInstanceActive(status),
);
