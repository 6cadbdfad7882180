export { type Client, type ClientOptions, createClient, type ProjectClient } from './client.ts';
export type { ChangesQuery, StreamedChange } from './domains/changes.ts';
export type { FleetReference } from './domains/fleets.ts';
export {
  type ExecListener,
  type ExecRequest,
  type ExecResult,
  type ExecSession,
  type JobReference,
  JobSocketError,
  type PortTunnel,
  type TerminalSize,
} from './domains/job-sockets.ts';
export {
  fromBase64,
  type LogChunk as LogPiece,
  type LogStreamQuery,
  type LogTime,
  type PollLogsQuery,
} from './domains/logs.ts';
export type { ChatMessage, ModelChat } from './domains/models.ts';
export type {
  CreateExport,
  ExportsList,
  ImportsList,
  QuotaName,
  UpdateExport,
} from './domains/resources.ts';
export type {
  GpusQuery as ListGpusRequest,
  ListRunsQuery,
  RunPlanRequest,
  RunReference,
} from './domains/runs.ts';
export type {
  JobMetricsFilter as JobMetricsQuery,
  ListEventsQuery,
  ListResourcesQuery,
  MetricsHistoryQuery,
  ProjectMemberRole,
} from './domains/server.ts';
export type { AccessMessage } from './domains/services.ts';
export type { ProviderRedirect } from './domains/session.ts';
export * from './errors.ts';
export {
  type Exchange,
  fetchExchange,
  fetchExchangeWith,
  type HttpRequest,
  type HttpResponse,
} from './exchange.ts';
export { nodeExchange } from './node-exchange.ts';
export { uploadSize } from './transport.ts';
export type { OpenWebSocket, SocketFailure, WebSocketLike } from './web-socket.ts';
