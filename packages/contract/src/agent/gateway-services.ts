/** The services behind a gateway, and who uses them. */
import { SHARED_PATH } from '../grammar/host-path.ts';
import { HostName, MOST_REPLICAS_SENT, Port } from './gateway-schemas.ts';
import {
  amount,
  flag,
  type Infer,
  line,
  list,
  messageText,
  nullable,
  object,
  optional,
  text,
  textLike,
  uuid,
  whole,
} from './schema-kit.ts';

/** The way of a user to a job, through the sshd of its host. */
export const GatewayTunnel = object({
  hostname: line(256),
  port: Port,
  user: line(256),
  /** Base64. */
  host_key: line(4096),
  /** The port of the SSH server of the job. */
  job_port: Port,
  job_host_key: line(4096),
});
export type GatewayTunnel = Infer<typeof GatewayTunnel>;

export const GatewayReplicaRoute = object({
  job_id: uuid,
  host_id: line(256),
  port: Port,
  /** Microseconds since the epoch. */
  running_at: whole(),
  failing: flag,
  /** Null: the gateway cannot reach it by itself. */
  tunnel: nullable(GatewayTunnel),
});
export type GatewayReplicaRoute = Infer<typeof GatewayReplicaRoute>;

const SharedPath = textLike(SHARED_PATH, 'is not the path of a service');

export const GatewayService = object({
  run_id: uuid,
  project: line(256),
  run: line(256),
  host: HostName,
  https: flag,
  /** Further names of its own; null = none. */
  custom_hosts: nullable(list(HostName, 16)),
  /** Paths at names that it shares with other services; null = none. */
  custom_paths: nullable(list(object({ host: HostName, path: SharedPath }), 16)),
  /** The part of the run's configuration that the proxy reads, as JSON. */
  configuration: text(1024 * 1024),
  /** Microseconds since the epoch. Earlier servers send none. */
  submitted_at: optional(whole()),
  /** Whether the run is running. Earlier servers send nothing of it. */
  running: optional(flag),
  replicas: list(GatewayReplicaRoute, MOST_REPLICAS_SENT),
});
export type GatewayService = Infer<typeof GatewayService>;

/** How the gateway reaches the agent of a host; for hosts that are not named, through the server. */
export const GatewayHost = object({ socket: line(256), token: line(1024) });
export type GatewayHost = Infer<typeof GatewayHost>;

/** See `ModelToken` of the proxy. */
export const GatewayToken = object({
  id: uuid,
  name: line(256),
  models: nullable(list(line(1024), 1000)),
  requests_per_minute: nullable(amount),
  has_budget: flag,
  used_up: nullable(object({ text: messageText(), retry_after: whole() })),
});
export type GatewayToken = Infer<typeof GatewayToken>;
