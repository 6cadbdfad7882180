export { type Client, type ClientOptions, createClient, type ProjectClient } from './client.ts';
export type { FleetReference } from './domains/fleets.ts';
export {
  fromBase64,
  type LogPiece,
  type LogStreamQuery,
  type PollLogsQuery,
} from './domains/logs.ts';
export type { CreateExport, ExportsList, ImportsList, UpdateExport } from './domains/resources.ts';
export type {
  ListGpusRequest,
  ListRunsQuery,
  RunPlanRequest,
  RunReference,
} from './domains/runs.ts';
export type { JobMetricsQuery, ListEventsQuery } from './domains/server.ts';
export * from './errors.ts';
export { type Exchange, fetchExchange, type HttpRequest, type HttpResponse } from './exchange.ts';
