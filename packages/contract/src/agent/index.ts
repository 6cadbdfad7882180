/**
 * The messages between the server and the agent.
 *
 * Transport: HTTP/1.1 over the agent's unix socket, `Authorization: Bearer <token>`. Commands are
 * plain requests, all of them repeatable:
 *
 *   GET    /v1/info                     -> AgentInfo
 *   PUT    /v1/jobs/{id}                JobSpecForAgent -> PutJobAnswer
 *   PUT    /v1/jobs/{id}/archives/{aid} tar body -> 204
 *   PUT    /v1/jobs/{id}/code           diff or tar body -> 204
 *   POST   /v1/jobs/{id}/start          StartJob -> JobState   (only for held jobs)
 *   POST   /v1/jobs/{id}/stop           StopJob -> JobState
 *   GET    /v1/jobs/{id}                -> JobState, 404 {"code":"unknown_job"}
 *   DELETE /v1/jobs/{id}                -> 204, 409 {"code":"job_alive"} while it runs
 *   PUT    /v1/keys                     JobKeys -> 204, 404 from an agent that cannot replace keys
 *   PUT    /v1/host-shell               HostShellKeys -> 204, 404 from an agent that opens no shells
 *   PUT    /v1/lease                    AgentLease -> 204, 404 from an agent without leases
 *   PUT    /v1/notice-watch             NoticeWatch -> 204, 404 from an agent that watches for no notices
 *   PUT    /v1/images                   ImagePlan -> 204, 404 from an agent without plans
 *   PUT    /v1/volumes/{id}             PutVolume -> 204, 404 from an agent that keeps no volumes
 *   POST   /v1/volumes/{id}/state       VolumePlace -> VolumeState, 404 {"code":"unknown_volume"}
 *   POST   /v1/volumes/{id}/delete      VolumePlace -> VolumeRemoval, 409 {"code":"volume_in_use"}
 *   POST   /v1/volumes/{id}/unmount     UnmountVolume -> 204 when its data is on the device, 409 {"code":"volume_in_use"}
 *   GET    /v1/jobs/{id}/ports/{port}   Upgrade: tcp -> a connection to that port of the job
 *   GET    /v1/jobs/{id}/ssh           Upgrade: tcp -> a connection to the job's SSH server
 *   GET    /v1/jobs/{id}/tunnels/{tid}  Upgrade: tcp -> a connection from the job to the server
 *   GET    /v1/jobs/{id}/exec           WebSocket, see `exec.ts`; 404 {"code":"not_found"} from an older agent
 *   PUT    /v1/gateways/{id}            PutGateway -> 204, 404 from an agent without gateways
 *   DELETE /v1/gateways/{id}            -> 204
 *   GET    /v1/gateways/{id}/link       Upgrade: tcp -> a connection to the program, see `gateways.ts`
 *   GET    /v1/stream                   WebSocket, frames below
 *
 * Errors of requests: `AgentErrorBody` with a 4xx or 5xx status.
 *
 * Frames: text messages are JSON (`AgentFrame` upwards, `ServerFrame` downwards). Log bytes travel
 * as binary messages (see `encodeLogFrame`), so that they are never escaped or re-encoded.
 */

export * from './commands.ts';
export { DIAL_OUT_PATH, FORMER_DIAL_OUT_PATH } from './dial-out.ts';
export * from './exec.ts';
export * from './frames.ts';
export * from './gateway-counts.ts';
export { HostName } from './gateway-schemas.ts';
export * from './gateway-services.ts';
export * from './gateway-settings.ts';
export * from './gateways.ts';
export { HostCheck, HostHealth, MAX_CHECK_MESSAGE } from './health.ts';
export {
  AgentInfo,
  FEATURES,
  HostFacts,
  HostGpu,
  PROTOCOL,
  SERVER_SOCKET,
  socketUrl,
} from './host.ts';
export {
  CloneLimits,
  ClusterInfo,
  FileArchive,
  JobMount,
  JobSpecForAgent,
  JobUser,
  RegistryAuth,
  RepoForAgent,
} from './job-spec.ts';
export {
  acceptedJob,
  HOST_FAULTS,
  type HostFault,
  JobExit,
  JobPhase,
  JobState,
  PutJobAnswer,
  StopStage,
} from './job-state.ts';
export * from './lease.ts';
export { decodeLogFrame, encodeLogFrame, type LogFrame } from './log-frame.ts';
export { HostNotice, NoticeSource, NoticeWatch } from './notices.ts';
export { Malformed, parseLogFrame, parseMessage } from './parse-message.ts';
export type { Infer, MessageSchema } from './schema-kit.ts';
export {
  TUNNEL_IDENTITY,
  TUNNEL_LISTENING,
  TUNNEL_PROTOCOLS,
  TUNNEL_TLS,
} from './tunnel-security.ts';
export * from './volumes.ts';
