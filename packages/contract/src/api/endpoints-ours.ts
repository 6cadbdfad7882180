/** Endpoints that dstack 0.22.5 does not have. */
import * as z from 'zod';
import { BackendCheck } from '../wire/backend-check.ts';
import { CapacityBoard } from '../wire/capacity-board.ts';
import { CostReport } from '../wire/cost.ts';
import { type ExplainKind, Explanation, PlanExplanation } from '../wire/explain.ts';
import { FleetJob } from '../wire/fleet-job.ts';
import { Gateway } from '../wire/gateway.ts';
import { GatewayLogs, RenewedCertificates } from '../wire/gateway-logs.ts';
import { Instance } from '../wire/instance.ts';
import { MeasuredUse } from '../wire/measured-use.ts';
import { MetricsHistory } from '../wire/metrics-history.ts';
import { ModelUsageReport } from '../wire/model-usage.ts';
import { OrphanReport } from '../wire/orphan.ts';
import { Overview } from '../wire/overview.ts';
import { RunQueue } from '../wire/queue.ts';
import { Quota } from '../wire/quota.ts';
import { Run } from '../wire/run.ts';
import { OAuthAuthorizeResponse } from '../wire/server.ts';
import { ServerStatus } from '../wire/server-status.ts';
import { ProjectRetention, ServerUsage } from '../wire/server-usage.ts';
import { ServiceFigures } from '../wire/service-figures.ts';
import { CreatedServiceToken, ServiceToken } from '../wire/service-token.ts';
import { ServiceTraffic, ServiceTrafficList } from '../wire/service-traffic.ts';
import { OpenedSession, ServiceSignIn, Session } from '../wire/session.ts';
import { ShareList } from '../wire/share.ts';
import { UserWithCreds } from '../wire/user.ts';
import { bare, call, get, optionalCall, passThrough, remove } from './endpoint.ts';
import * as req from './requests-ours.ts';

const provider = '/api/auth/{provider}';
const tokens = '/api/project/{project_name}/service_tokens';

function explain<const K extends ExplainKind>(kind: K, summary: string) {
  const path = `/api/project/{project_name}/explain/${kind}/{name}`;
  return get(path, 'project_member', null, Explanation, summary);
}

export const ourEndpoints = {
  'session.open': optionalCall(
    '/api/session',
    'auth',
    req.OpenSessionRequest,
    OpenedSession,
    "Signs a browser in with the user's token; the answer sets a cookie",
  ),
  'session.get': get('/api/session', 'optional', null, Session, 'Who is signed in'),
  'session.end': remove('/api/session', 'optional', 'Signs out: ends the session of the caller'),
  'session.end_all': remove('/api/session/all', 'auth', 'Ends all sessions of the caller'),
  'auth.authorize': call(
    `${provider}/authorize`,
    'public',
    req.OAuthAuthorizeRequest,
    OAuthAuthorizeResponse,
    'Begins to sign in through a provider: where the browser goes; for pages the answer sets a cookie',
  ),
  'auth.callback': call(
    `${provider}/callback`,
    'public',
    req.OAuthCallbackRequest,
    UserWithCreds,
    'Ends to sign in through a provider, for clients: the user with the token',
  ),
  'auth.open_session': call(
    `${provider}/session`,
    'public',
    req.OpenProviderSessionRequest,
    OpenedSession,
    'Ends to sign in through a provider, for the page that has begun; the answer sets a cookie',
  ),
  'service_tokens.list': bare(
    `${tokens}/list`,
    'project_admin',
    z.array(ServiceToken),
    'Tokens of programs, without the tokens themselves',
  ),
  'service_tokens.create': call(
    `${tokens}/create`,
    'project_admin',
    req.CreateServiceTokenRequest,
    CreatedServiceToken,
    'Create a token for a program; it is returned once',
  ),
  'service_tokens.delete': call(
    `${tokens}/delete`,
    'project_admin',
    req.DeleteServiceTokensRequest,
    null,
    'Revoke tokens',
  ),
  'explain.runs': explain('runs', 'Explains the state of a run, and what would change it'),
  'explain.jobs': explain('jobs', 'Explains the state of one job of a run'),
  'explain.instances': explain(
    'instances',
    'Explains why an instance is used, not used, or terminating',
  ),
  'explain.fleets': explain('fleets', 'Explains why a fleet has the instances it has'),
  'explain.services': explain(
    'services',
    'Explains replica by replica why a service answers or not',
  ),
  'explain.volumes': explain('volumes', 'Explains the state of a volume'),
  'explain.gateways': explain('gateways', 'Explains the state of a gateway'),
  'explain.plan': call(
    '/api/project/{project_name}/explain/plan',
    'project_member',
    req.ExplainPlanRequest,
    PlanExplanation,
    'Explains fleet by fleet where a run could be placed if it was submitted now, without submitting it',
  ),
  'queue.list': call(
    '/api/project/{project_name}/queue/list',
    'project_member',
    req.ListQueueRequest,
    RunQueue,
    'The queue of all projects that share fleets with this one, with expected starts',
  ),
  'capacity.board': call(
    '/api/project/{project_name}/capacity/board',
    'project_member',
    req.CapacityBoardRequest,
    CapacityBoard,
    'The jobs on these instances, with their beginnings and known ends, oldest first',
  ),
  'shares.list': bare(
    '/api/project/{project_name}/shares/list',
    'project_member',
    ShareList,
    'What the projects that share fleets with this one, and their users, have used for their weights',
  ),
  'fleets.list_jobs': get(
    '/api/project/{project_name}/fleets/{fleet_name}/jobs',
    'project_member',
    null,
    z.array(FleetJob),
    'Jobs on the instances of a fleet, oldest first',
  ),
  'instances.recent_use': call(
    '/api/instances/recent_use',
    'auth',
    req.RecentUseRequest,
    z.array(MeasuredUse),
    'How busy these instances were in the last 15 minutes',
  ),
  'instances.cordon': call(
    '/api/project/{project_name}/instances/cordon',
    'project_manager',
    req.CordonInstancesRequest,
    z.array(Instance),
    'Keep new jobs off instances; the present jobs go on',
  ),
  'instances.drain': call(
    '/api/project/{project_name}/instances/drain',
    'project_manager',
    req.DrainInstancesRequest,
    z.array(Instance),
    'Keep new jobs off instances, and have the present jobs leave them by a deadline',
  ),
  'instances.uncordon': call(
    '/api/project/{project_name}/instances/uncordon',
    'project_manager',
    req.UncordonInstancesRequest,
    z.array(Instance),
    'Let cordoned instances get new jobs again',
  ),
  'quotas.list': optionalCall(
    '/api/quotas/list',
    'auth',
    req.ListQuotasRequest,
    z.array(Quota),
    "Quotas of the caller's projects, with what is used of them",
  ),
  'quotas.apply': call(
    '/api/quotas/apply',
    'auth',
    req.ApplyQuotasRequest,
    z.array(Quota),
    'Set quotas: of projects by global admins, of users by managers of the project, of importers by managers of the fleet',
  ),
  'quotas.delete': call(
    '/api/quotas/delete',
    'auth',
    req.DeleteQuotasRequest,
    null,
    'Delete quotas, by those who may set them',
  ),
  'metrics.history': call(
    '/api/project/{project_name}/metrics/history',
    'project_member',
    req.MetricsHistoryRequest,
    MetricsHistory,
    'What was measured of several jobs of a run, in equal steps',
  ),
  'backends.check': bare(
    '/api/project/{project_name}/backends/check',
    'project_admin',
    z.array(BackendCheck),
    'Checks credentials and permissions of the backends of a project with their own APIs',
  ),
  'overview.get': get(
    '/api/overview',
    'auth',
    req.OverviewQuery,
    Overview,
    "What runs, waits and failed in the caller's projects, and what it costs per hour",
  ),
  'proxy.model_request': passThrough(
    '/proxy/models/{project_name}/{path}',
    'project_member',
    'POST',
    'A request to a served model, as OpenAI has it: embeddings, responses, audio, images and others',
  ),
  'gateways.set_certificate': call(
    '/api/project/{project_name}/gateways/set_certificate',
    'project_admin',
    req.SetGatewayCertificateRequest,
    Gateway,
    'Set a certificate for the names below the domain of a gateway',
  ),
  'gateways.delete_certificate': call(
    '/api/project/{project_name}/gateways/delete_certificate',
    'project_admin',
    req.DeleteGatewayCertificateRequest,
    Gateway,
    'Delete certificates that were set for a gateway',
  ),
  'gateways.renew_certificates': call(
    '/api/project/{project_name}/gateways/renew_certificates',
    'project_admin',
    req.RenewGatewayCertificatesRequest,
    RenewedCertificates,
    'Requests certificates of a gateway that have failed again at once',
  ),
  'gateways.get_logs': call(
    '/api/project/{project_name}/gateways/get_logs',
    'project_admin',
    req.GatewayLogsRequest,
    GatewayLogs,
    'The last lines of the logs of the replicas of a gateway, or those since an earlier answer',
  ),
  'runs.rollout': call(
    '/api/project/{project_name}/runs/rollout',
    'project_member',
    req.RolloutRequest,
    null,
    'Pause or resume the rollout of a service, or return to the previous deployment',
  ),
  'runs.hold': call(
    '/api/project/{project_name}/runs/hold',
    'project_member',
    req.HoldRunsRequest,
    null,
    'Keep waiting runs out of the queue until they are released',
  ),
  'runs.release': call(
    '/api/project/{project_name}/runs/release',
    'project_member',
    req.HoldRunsRequest,
    null,
    'Let held runs into the queue',
  ),
  'runs.set_priority': call(
    '/api/project/{project_name}/runs/set_priority',
    'project_member',
    req.SetRunPriorityRequest,
    null,
    'Change the priority of a run that has not ended',
  ),
  'runs.rerun': call(
    '/api/project/{project_name}/runs/rerun',
    'project_member',
    req.RerunRequest,
    Run,
    'Submit the stored configuration and code of a run again',
  ),
  'services.state': get(
    '/api/project/{project_name}/services/{run_name}/state',
    'project_member',
    null,
    ServiceFigures,
    'Requests, latencies and replicas of a service, as the server that answers or its gateway has counted them',
  ),
  'services.traffic': get(
    '/api/project/{project_name}/services/{run_name}/traffic',
    'project_member',
    null,
    ServiceTraffic,
    'Requests, errors, latencies and replicas of a service in the last minute, by all servers and its gateway',
  ),
  'services.list_traffic': call(
    '/api/project/{project_name}/services/traffic/list',
    'project_member',
    req.ListTrafficRequest,
    ServiceTrafficList,
    'The same of several services, without their replicas',
  ),
  'services.sign_in': call(
    '/api/services/sign_in',
    'auth',
    req.ServiceSignInRequest,
    ServiceSignIn,
    "Signs the session's browser in at a service with a host name of its own: the address to open, once",
  ),
  'models.chat': passThrough(
    '/api/project/{project_name}/models/chat/completions',
    'project_member',
    'POST',
    'A chat with a served model, for pages of this server: sessions are accepted, other origins are not',
  ),
  'models.usage': get(
    '/api/project/{project_name}/models/usage',
    'project_member',
    req.ModelUsageQuery,
    ModelUsageReport,
    'Requests and tokens of the models of a project, by day, model and user',
  ),
  'cost.get': get(
    '/api/cost',
    'auth',
    req.CostQuery,
    CostReport,
    "What jobs and machines of the caller's projects have cost, by run, user, project, fleet, GPU, tag or day",
  ),
  'server.status': get(
    '/api/server/status',
    'global_admin',
    null,
    ServerStatus,
    'Version, database, queues of work and memory of the server that answers',
  ),
  'server.usage': get(
    '/api/server/usage',
    'global_admin',
    null,
    ServerUsage,
    'What takes how much in the database and beside it, and what will be deleted; measured at most once in five minutes',
  ),
  'projects.get_retention': get(
    '/api/project/{project_name}/retention',
    'project_member',
    null,
    ProjectRetention,
    'How long the project keeps ended runs, their output, events and metrics',
  ),
  'projects.set_retention': call(
    '/api/project/{project_name}/retention/set',
    'project_admin',
    req.SetRetentionRequest,
    ProjectRetention,
    'Sets how long the project keeps ended runs, their output, events and metrics; for longer than the server only by its admins',
  ),
  'server.list_orphans': get(
    '/api/server/orphans',
    'global_admin',
    null,
    OrphanReport,
    "Resources with this server's tag in a backend's account, without a record in its database",
  ),
} as const;
