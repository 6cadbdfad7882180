/** The HTTP application: transport rules that hold for every path, and all domains. */
import Fastify, {
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  LogController,
} from 'fastify';
import { assets } from '../assets.ts';
import { SANDBOX } from '../proxy/headers.ts';
import { MAX_HEADERS } from '../proxy/raw-headers.ts';
import { apiDocsRoutes } from './api-docs/routes.ts';
import { backendRoutes } from './backends/routes.ts';
import type { On } from './call.ts';
import { costRoutes } from './cost/routes.ts';
import { docsSiteRoutes } from './docs-site/routes.ts';
import { answerError, answerUnknown } from './error-answers.ts';
import { eventRoutes } from './events/routes.ts';
import { explainRoutes } from './explain/routes.ts';
import { exportRoutes } from './exports/routes.ts';
import { fileRoutes } from './files/routes.ts';
import { fleetRoutes } from './fleets/routes.ts';
import { gatewayRoutes } from './gateways/routes.ts';
import { gpuRoutes } from './gpus/routes.ts';
import { instanceRoutes } from './instances/routes.ts';
import { boundConnections } from './intake/connections.ts';
import { logRoutes } from './logs/routes.ts';
import { mcpRoutes } from './mcp/routes.ts';
import { metricsRoutes } from './metrics/routes.ts';
import { modelUsageRoutes } from './models/routes.ts';
import { mounter } from './mount.ts';
import { openApiRoutes } from './openapi/routes.ts';
import { orphanRoutes } from './orphans/routes.ts';
import { overviewRoutes } from './overview/routes.ts';
import type { HttpDeps } from './ports.ts';
import { projectRoutes } from './projects/routes.ts';
import { prometheusRoutes } from './prometheus/routes.ts';
import { modelAdmission } from './proxy/models/model-admission.ts';
import { modelChatRoute } from './proxy/models/routes.ts';
import { proxyRoutes, routedUrl, takesUpgrade } from './proxy/routes.ts';
import { repoRoutes } from './repos/routes.ts';
import { requestIdOf } from './request-id.ts';
import { runRoutes } from './runs/routes.ts';
import { secretRoutes } from './secrets/routes.ts';
import { HEALTH_PATHS, healthRoutes } from './server-info/health.ts';
import { serverInfoRoutes } from './server-info/routes.ts';
import { serviceTokenRoutes } from './service-tokens/routes.ts';
import { sessionRoutes } from './sessions/routes.ts';
import { shuttingDown } from './shutdown.ts';
import { sshProxyRoutes } from './sshproxy/routes.ts';
import { templateRoutes } from './templates/routes.ts';
import { userRoutes } from './users/routes.ts';
import { volumeRoutes } from './volumes/routes.ts';
import { webUiRoutes } from './web-ui/routes.ts';

/** No path of the API has longer parts. */
const MAX_PATH_PART = 1000;

const DOMAINS: readonly ((on: On, deps: HttpDeps) => void)[] = [
  serverInfoRoutes,
  sessionRoutes,
  userRoutes,
  projectRoutes,
  backendRoutes,
  fleetRoutes,
  instanceRoutes,
  volumeRoutes,
  gatewayRoutes,
  runRoutes,
  gpuRoutes,
  logRoutes,
  metricsRoutes,
  eventRoutes,
  secretRoutes,
  repoRoutes,
  fileRoutes,
  exportRoutes,
  templateRoutes,
  sshProxyRoutes,
  modelUsageRoutes,
  serviceTokenRoutes,
  explainRoutes,
  orphanRoutes,
  costRoutes,
  overviewRoutes,
];

/** Does not listen yet; the caller calls `listen` and `close`. */
export function buildHttp(deps: HttpDeps): FastifyInstance {
  const app = Fastify({
    loggerInstance: deps.log,
    // One line per request would be most of the log, as clients poll.
    logController: new LogController({ disableRequestLogging: true }),
    forceCloseConnections: true,
    requestIdHeader: false,
    genReqId: requestIdOf,
    routerOptions: { maxParamLength: MAX_PATH_PART },
    // For URLs that the router cannot decode.
    frameworkErrors: (_error, request, reply) => {
      nameRequest(request, reply);
      answerUnknown(request, reply);
    },
    rewriteUrl: ({ url }) => routedUrl(url ?? '/'),
    http: { shouldUpgradeCallback: takesUpgrade, maxHeaderSize: MAX_HEADERS },
  }) as unknown as FastifyInstance;
  const { shutdown } = deps;
  leaveBodies(app);
  boundConnections(app);
  app.addHook('onRequest', async (request, reply) => {
    nameRequest(request, reply);
    // PostgreSQL cannot store NUL in a name.
    if (request.url.startsWith('/api/') && request.url.includes('%00')) {
      return answerUnknown(request, reply);
    }
    if (request.url.startsWith('/proxy/')) reply.header(...SANDBOX);
    if (shutdown.isEnding) refuseLate(request, reply);
    shutdown.track(reply.raw);
    ignoreContentType(request);
  });
  app.setErrorHandler(answerError);
  const on = mounter(app, deps);
  for (const domain of DOMAINS) domain(on, deps);
  healthRoutes(app, deps);
  prometheusRoutes(app, deps);
  apiDocsRoutes(app);
  docsSiteRoutes(app, deps.docsSite ?? assets.docsSite);
  if (deps.webUi === null) withoutWebUi(app);
  else webUiRoutes(app, deps.webUi);
  openApiRoutes(app);
  const forProxy = { ...deps, admitModelUser: modelAdmission(deps) };
  modelChatRoute(app, forProxy, proxyRoutes(app, forProxy));
  mcpRoutes(app, deps);
  return app;
}

function withoutWebUi(app: FastifyInstance): void {
  app.setNotFoundHandler(answerUnknown);
  app.get('/', async (_request, reply) => reply.redirect('/api/docs', 307));
}

/** Refuses requests on connections that were open before. Health checks get their own 503. */
function refuseLate({ url }: FastifyRequest, reply: FastifyReply): void {
  reply.header('connection', 'close');
  if (!HEALTH_PATHS.includes(url)) throw shuttingDown();
}

/**
 * Bodies are read as JSON whatever their content type is: `curl -d` sends that of a form, other clients
 * send an invalid one or none. Only uploads are recognised by their content type.
 */
function ignoreContentType({ headers }: FastifyRequest): void {
  const stated = headers['content-type'];
  if (stated === undefined || /^multipart\/form-data\b/i.test(stated)) return;
  headers['content-type'] = 'application/json';
}

/** Endpoints read their bodies themselves, after they have authenticated the caller. */
function leaveBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _body, done) => done(null));
}

/** Set on the raw response, so that streams, which bypass the reply, have the id too. */
function nameRequest({ id }: FastifyRequest, reply: FastifyReply): void {
  reply.raw.setHeader('x-request-id', id);
}
