/**
 * A gateway and its replicas.
 *
 *   gateway:  submitted ──► provisioning ──► running
 *                 └──────────────┴─────────► failed
 *
 *   replica:  submitted ──► provisioning ──► running ──► terminating ──► terminated
 *                 │              └──────────────────────────►┘               ▲
 *                 └──────────────────────────────────────────────────────────┘
 *
 * A running gateway never leaves `running`, although its replicas change. A replica stays
 * `terminating` until its backend confirms the end, like an instance.
 */
import type { Transitions } from './transitions.ts';

export const GATEWAY_STATUSES = ['submitted', 'provisioning', 'running', 'failed'] as const;
export type GatewayStatus = (typeof GATEWAY_STATUSES)[number];

export const GATEWAY_REPLICA_STATUSES = [
  'submitted',
  'provisioning',
  'running',
  'terminating',
  'terminated',
] as const;
export type GatewayReplicaStatus = (typeof GATEWAY_REPLICA_STATUSES)[number];

export const GATEWAY_TRANSITIONS: Transitions<GatewayStatus> = {
  submitted: ['provisioning', 'failed'],
  provisioning: ['running', 'failed'],
  running: [],
  failed: [],
};

export const GATEWAY_REPLICA_TRANSITIONS: Transitions<GatewayReplicaStatus> = {
  submitted: ['provisioning', 'terminating', 'terminated'],
  provisioning: ['running', 'terminating'],
  running: ['terminating'],
  terminating: ['terminated'],
  terminated: [],
};

export const isGatewayRunning = (status: GatewayStatus): boolean => status === 'running';
export const isGatewayFailed = (status: GatewayStatus): boolean => status === 'failed';
export const isGatewayPassing = (status: GatewayStatus): boolean =>
  status === 'submitted' || status === 'provisioning';

export const isGatewaySubmitted = (status: GatewayStatus): boolean => status === 'submitted';
export const isGatewayProvisioning = (status: GatewayStatus): boolean => status === 'provisioning';

export const isReplicaSubmitted = (status: GatewayReplicaStatus): boolean => status === 'submitted';
export const isReplicaProvisioning = (status: GatewayReplicaStatus): boolean =>
  status === 'provisioning';
export const isReplicaTerminating = (status: GatewayReplicaStatus): boolean =>
  status === 'terminating';
export const isReplicaRunning = (status: GatewayReplicaStatus): boolean => status === 'running';
/** Terminating or terminated. */
export const isReplicaEnding = (status: GatewayReplicaStatus): boolean =>
  status === 'terminating' || status === 'terminated';
export const isReplicaTerminated = (status: GatewayReplicaStatus): boolean =>
  status === 'terminated';
