/** The proxy of services: the policy, and the engine on Node around it. */

export { boundLog } from './bound-log.ts';
export type { Admit } from './callers/callers.ts';
export type { AdmissionAsk, Granted, GrantedCaller, KeptGrant } from './callers/grants.ts';
export { OwnTokens } from './callers/own-tokens.ts';
export {
  marksOf,
  marksOfGuarded,
  NO_MARKS,
  type TokenMark,
  TokenMarks,
} from './callers/token-marks.ts';
export { isVerdict, WorkerAdmission } from './callers/worker-admission.ts';
export { accessLog } from './counts/access-log.ts';
export { type AccessPage, AccessRecords } from './counts/access-records.ts';
export { type AvoidedFor, type CountedReplica, sumOfReplicas } from './counts/counted-replica.ts';
export { type KeptCount, KeptCounts, keptCounts, type UnkeptCounts } from './counts/kept-counts.ts';
export { KeptUses } from './counts/kept-uses.ts';
export {
  type CountedModel,
  NO_MODEL,
  NO_RECENT_MODEL,
  type RecentModel,
  sumOfModels,
  sumOfRecentModels,
  totalsOfModel,
} from './counts/model-stats.ts';
export { ProcessFigures } from './counts/process-figures.ts';
export {
  type CountedService,
  countedModelOf,
  type OtherFigures,
  ofPresent,
  type ProxiedService,
} from './counts/proxy-figures.ts';
export type { SpoolBatch, SpoolKind, SpoolOptions } from './counts/spool.ts';
export { SpoolDelivery } from './counts/spool-delivery.ts';
export { networkOf } from './head/client-network.ts';
export { publicAddress, type Trust, trustIn } from './head/forwarded.ts';
export { OPEN_TO_ORIGINS, PREFLIGHT_ANSWER, SANDBOX } from './head/headers.ts';
export { originForm, toOriginForm } from './head/origin-form.ts';
export { MAX_HEADERS, type RawHeaders } from './head/raw-headers.ts';
export { awaitBody, isBodyAwaited } from './intake/awaited-bodies.ts';
export type { BodyMemory } from './intake/body-budget.ts';
export { RefusedBody } from './intake/body-refusal.ts';
export { Gathered } from './intake/gathered.ts';
export { type BodyLimits, Intake, type IntakeSettings } from './intake/intake.ts';
export { JSON_LIMITS, type ListRule } from './intake/json-scan.ts';
export { pacer } from './intake/pacer.ts';
export { UnprocessableError } from './intake/parse-json.ts';
export { type BodyPace, receive } from './intake/receive.ts';
export { type BeatLimits, Heartbeat, type HeartbeatEvents } from './link/heartbeat.ts';
export { LineChannel } from './link/line-channel.ts';
export { LineStream } from './link/line-stream.ts';
export { type OtherProcess, ProcessChannel } from './link/process-channel.ts';
export { withRunningTimeout } from './link/running-timeout.ts';
export { type AskedServer, isServerAway, ServerLink, serverAway } from './link/server-link.ts';
export { ChannelClosed, type Handlers, WithSocket, WorkerChannel } from './link/worker-channel.ts';
export type { ProxyLog } from './log.ts';
export type { MeteredUse, UseStore } from './models/metered-use.ts';
export { type AdmitToModels, ModelApi } from './models/model-api.ts';
export type { ModelEndpoint, ModelEndpointDeps, ModelUser } from './models/model-endpoint.ts';
export { type JsonAnswer, modelErrorAnswer, modelRefusal } from './models/model-errors.ts';
export type { ModelToken } from './models/model-token.ts';
export type { Model, ModelTable, ServedModel } from './models/served-model.ts';
export { serviceUsage } from './models/service-usage.ts';
export { RendererBusy, TemplateRenderer } from './models/template-renderer.ts';
export { luaFolder, removeOtherLua } from './nginx/lua-files.ts';
export { connectionsOf, HEAD, nginxHead } from './nginx/nginx-head.ts';
export {
  NginxProcess,
  NginxRefusal,
  programError,
  WrongConfiguration,
} from './nginx/nginx-process.ts';
export { findNginx, isNginxFrom, luaModules, nginxBuild } from './nginx/nginx-program.ts';
export {
  grantText,
  isOfNginx,
  isSecure,
  markNginx,
  type NginxReport,
  nginxReport,
  showClient,
} from './nginx/nginx-report.ts';
export {
  BACKLOG,
  CERTIFICATES,
  CROWD,
  FOR_WORKERS,
  FOR_WORKERS_ONLY,
  inLua,
  LARGE_HEAD,
  modulesFolder,
  PATH_SHARED,
  PATH_VARIABLES,
  PLAIN_VARIABLES,
  type PlainOptions,
  plainLocation,
  plainShared,
  plainSocket,
  UNDELIVERED,
  workersLocation,
  workersUpstream,
} from './nginx/plain-configuration.ts';
export { type Control, controlOf } from './nginx/plain-control.ts';
export { PlainEngine } from './nginx/plain-engine.ts';
export { plainPaths, plainTable } from './nginx/plain-table.ts';
export { forgetTotals, lastTotals } from './nginx/plain-totals.ts';
export { portHolder } from './nginx/port-holders.ts';
export { learnAddress, ReplicaAddresses } from './nginx/replica-addresses.ts';
export type { RequestEngine } from './nginx/request-engine.ts';
export { SECRET, sessionCookies, signInStates, stateCookie } from './origins/origin-cookies.ts';
export {
  hostLabel,
  labelOf,
  type OriginPattern,
  originUrl,
  parseOriginPattern,
} from './origins/origin-pattern.ts';
export { isNavigation } from './origins/same-origin.ts';
export {
  type HostedRuns,
  isOwnPath,
  ORIGIN_PREFIX,
  type OriginService,
  ServiceOrigins,
} from './origins/service-origins.ts';
export { type HostMatch, HostRoutes } from './policy/host-routes.ts';
export { SLICE_MS } from './policy/last-minute.ts';
export { durationBucket, histogramLines, NO_LATENCIES } from './policy/latency-totals.ts';
export { RateBuckets } from './policy/rate-buckets.ts';
export type { Rate, TakenRate, TakeRate } from './policy/rate-limits.ts';
export {
  type RecentRequests,
  recentPercentile,
  recentRequests,
  sumOfRecent,
} from './policy/recent-requests.ts';
export { sumOfTotals, type TotalsByReplica } from './policy/replica-totals.ts';
export {
  type RawStats,
  RequestStats,
  type ServiceStats,
  sumOfStats,
} from './policy/service-stats.ts';
export { SharedRates } from './policy/shared-rates.ts';
export { Outages, type ReadOutage } from './refusals/outages.ts';
export {
  hostNotFound,
  notAdmitted,
  ProxyRefusal,
  refusalBody,
  type ServiceName,
  serviceNotFound,
  tooManySignIns,
  type Unavailable,
  unavailable,
} from './refusals/refusal.ts';
export {
  AgentRefusal,
  AgentStreams,
  AgentUnreachable,
  agentAnswer,
  agentRefusal,
  type Dial,
  type PortConnection,
} from './replicas/agent-streams.ts';
export { openReplica } from './replicas/open-replica.ts';
export type { EjectedReplica } from './replicas/replica-health.ts';
export type { OpenPort } from './replicas/replica-pool.ts';
export { ReplicaTunnels, type TunnelRoute } from './replicas/replica-tunnels.ts';
export { rawOf } from './requests/grpc/call-headers.ts';
export { refuseCall } from './requests/grpc/grpc-status.ts';
export { dropRest } from './requests/request-body.ts';
export { ServiceProxy } from './requests/service-proxy.ts';
export { opensWebSocket, refuseUpgrade } from './requests/upgrade.ts';
export { dnsProblem } from './routes/dns-check.ts';
export { routeOf, type ServiceRoute } from './routes/service-route.ts';
export type { ServiceTable } from './routes/service-table.ts';
export { type ServiceTarget, serviceTarget } from './routes/service-target.ts';
export type { CountedSecond, MeasuredSlot, ReplicaTarget } from './values.ts';
export {
  type KeptFiles,
  type Known,
  NO_HOST_NAMES,
  type PushedRoute,
  type PushedService,
} from './worker/protocol.ts';
export { PushedTable } from './worker/pushed-table.ts';
export { ServiceWorker, type ServiceWorkerOptions } from './worker/service-worker.ts';
