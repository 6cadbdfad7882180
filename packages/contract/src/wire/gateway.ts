/** Gateways. */
import * as z from 'zod';
import { GatewayConfiguration } from '../configuration/index.ts';
import { GATEWAY_REPLICA_STATUSES, GATEWAY_STATUSES } from '../status/gateway-status.ts';
import { BackendType } from './backend.ts';
import { ApplyAction } from './plan.ts';
import {
  choiceOf,
  DateTime,
  Flag,
  Integer,
  listOf,
  model,
  nullable,
  Text,
  Uuid,
} from './scalars.ts';

export const GatewayStatus = choiceOf(GATEWAY_STATUSES);
export type GatewayStatus = z.infer<typeof GatewayStatus>;

export const GatewayReplicaStatus = choiceOf(GATEWAY_REPLICA_STATUSES);
export type GatewayReplicaStatus = z.infer<typeof GatewayReplicaStatus>;

export const GatewayReplica = model({
  hostname: nullable(Text),
  replica_num: Integer,
  backend: nullable(BackendType),
  region: nullable(Text),
  created_at: DateTime,
  status: GatewayReplicaStatus,
  status_message: nullable(Text),
});
export type GatewayReplica = z.infer<typeof GatewayReplica>;

/** Ours: official clients ignore it. */
export const GatewayCertificateInfo = model({
  domain: Text,
  source: choiceOf(['acme', 'file']),
  state: choiceOf(['valid', 'pending', 'failed', 'expired']),
  expires_at: nullable(DateTime),
  /** When it is renewed, or requested again. */
  renews_at: nullable(DateTime),
  message: nullable(Text),
});
export type GatewayCertificateInfo = z.infer<typeof GatewayCertificateInfo>;

/** A service behind a gateway, for the members of its project. Ours. */
export const GatewayServiceInfo = model({
  project_name: Text,
  run_name: Text,
  /** The generated one first, then those of its own. */
  urls: listOf(Text),
});
export type GatewayServiceInfo = z.infer<typeof GatewayServiceInfo>;

/**
 * `default` is relative to the viewing project. `backend`, `region`, `ip_address` and
 * `instance_id` serve clients before 0.20.25.
 */
export const Gateway = model({
  id: Uuid,
  name: Text,
  project_name: Text,
  configuration: GatewayConfiguration,
  created_at: DateTime,
  status: GatewayStatus,
  status_message: nullable(Text),
  hostname: nullable(Text),
  wildcard_domain: nullable(Text),
  default: Flag,
  replicas: listOf(GatewayReplica),
  /** Ours: of the names that it serves by TLS. */
  certificates: listOf(GatewayCertificateInfo).default([]),
  /** Ours: only where one gateway is requested. */
  services: z.array(GatewayServiceInfo).optional(),
  backend: nullable(BackendType),
  region: nullable(Text),
  ip_address: nullable(Text),
  instance_id: nullable(Text),
});
export type Gateway = z.infer<typeof Gateway>;

export const GatewaySpec = model({
  configuration: GatewayConfiguration,
  configuration_path: nullable(Text),
});
export type GatewaySpec = z.infer<typeof GatewaySpec>;

export const GatewayPlan = model({
  project_name: Text,
  user: Text,
  spec: GatewaySpec,
  effective_spec: GatewaySpec,
  current_resource: nullable(Gateway),
  action: ApplyAction,
});
export type GatewayPlan = z.infer<typeof GatewayPlan>;
