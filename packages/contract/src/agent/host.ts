import {
  amount,
  type Infer,
  line,
  list,
  listOrEmpty,
  nullable,
  object,
  oneOf,
  whole,
} from './schema-kit.ts';

/** The supported protocol versions; server and agent use the highest common one. */
export const PROTOCOL = { min: 1, max: 1 } as const;

/**
 * `server-access`: jobs may reach the API of the server (`JobSpecForAgent.server_access`). `volumes`:
 * the agent keeps directories for volumes (`JobMount.volume`). `volume-devices`: it mounts volumes that
 * the provider attaches to the machine (`VolumeSource.device`).
 */
export const FEATURES = ['server-access', 'volumes', 'volume-devices'] as const;

/** Path of the server's socket in containers. Each process job has its own path. */
export const SERVER_SOCKET = '/run/dstack/server.sock';

/** The URL of a server at a unix socket, as clients of dstack read it. */
export function socketUrl(path: string): string {
  return `http+unix://${encodeURIComponent(path)}`;
}

export const MAX_GPUS = 256;

export const HostGpu = object({
  vendor: oneOf('nvidia', 'amd', 'intel', 'tenstorrent'),
  name: line(256),
  memory_mib: amount,
  /** The runtime's name of this device: UUID, render node or index. */
  id: line(256),
});
export type HostGpu = Infer<typeof HostGpu>;

/** The facts that the agent has collected about its host. */
export const HostFacts = object({
  hostname: line(256),
  arch: oneOf('x86', 'arm'),
  cpus: amount,
  memory_bytes: amount,
  /** Free bytes on the disk of images and jobs; 0 = unknown. */
  disk_bytes: amount,
  /** In CIDR form, without loopback. */
  addresses: list(line(64), 1000),
  gpus: list(HostGpu, MAX_GPUS),
  gpu_driver: nullable(line(256)),
  /** Public key (`<type> <base64>`) of the agent's SSH servers; null from older agents. */
  ssh_host_key: nullable(line()),
});
export type HostFacts = Infer<typeof HostFacts>;

/** The identity of an agent. It belongs to one server until another takes it over. */
export const AgentInfo = object({
  version: line(100),
  /** Features that older agents lack; see `FEATURES`. */
  features: listOrEmpty(line(100), 100),
  protocol: object({ min: whole(), max: whole() }),
  /** Id of the server that owns this agent, null before the first one connected. */
  server_id: nullable(line(100)),
  executor: oneOf('docker', 'process'),
  host: HostFacts,
  /** Microseconds since the epoch by the host's clock, when this was sent; null from older agents. */
  time: nullable(whole()),
});
export type AgentInfo = Infer<typeof AgentInfo>;
