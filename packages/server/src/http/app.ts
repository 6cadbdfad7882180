/** The HTTP application: all domains. */
import { createServer } from 'node:http';
import type { FastifyInstance } from 'fastify';
import { assets } from '../process/assets.ts';
import { modelTable } from '../service-table/view-route.ts';
import { apiDocsRoutes } from './api-docs/routes.ts';
import { backendRoutes } from './backends/routes.ts';
import { baseHttp } from './base-http.ts';
import type { On } from './call.ts';
import { capacityRoutes } from './capacity/routes.ts';
import { costRoutes } from './cost/routes.ts';
import { docsSiteRoutes } from './docs-site/routes.ts';
import { answerUnknown } from './error-answers.ts';
import { eventRoutes } from './events/routes.ts';
import { explainRoutes } from './explain/routes.ts';
import { exportRoutes } from './exports/routes.ts';
import { fileRoutes } from './files/routes.ts';
import { fleetRoutes } from './fleets/routes.ts';
import { gatewayRoutes } from './gateways/routes.ts';
import { gpuRoutes } from './gpus/routes.ts';
import { instanceRoutes } from './instances/routes.ts';
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
import { DirectRequests } from './proxy/direct-requests.ts';
import { modelAdmission } from './proxy/models/model-admission.ts';
import { modelChatRoute } from './proxy/models/routes.ts';
import { type OwnPaths, proxyRoutes, serviceUpgrades } from './proxy/routes.ts';
import { queueRoutes } from './queue/routes.ts';
import { quotaRoutes } from './quotas/routes.ts';
import { repoRoutes } from './repos/routes.ts';
import { retentionRoutes } from './retention/routes.ts';
import { runRoutes } from './runs/routes.ts';
import { secretRoutes } from './secrets/routes.ts';
import { healthRoutes } from './server-info/health.ts';
import { serverInfoRoutes } from './server-info/routes.ts';
import { serviceOriginRoutes } from './service-origins/routes.ts';
import { answerOwnPath } from './service-origins/sign-in.ts';
import { serviceTokenRoutes } from './service-tokens/routes.ts';
import { serviceRoutes } from './services/routes.ts';
import { sessionRoutes } from './sessions/routes.ts';
import { shareRoutes } from './shares/routes.ts';
import { signInRoutes } from './sign-in/routes.ts';
import { sshProxyRoutes } from './sshproxy/routes.ts';
import { templateRoutes } from './templates/routes.ts';
import { userRoutes } from './users/routes.ts';
import { volumeRoutes } from './volumes/routes.ts';
import { webUiRoutes } from './web-ui/routes.ts';

const DOMAINS: readonly ((on: On, deps: HttpDeps) => void)[] = [
  serverInfoRoutes,
  sessionRoutes,
  signInRoutes,
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
  quotaRoutes,
  shareRoutes,
  repoRoutes,
  fileRoutes,
  exportRoutes,
  templateRoutes,
  sshProxyRoutes,
  modelUsageRoutes,
  serviceRoutes,
  serviceTokenRoutes,
  serviceOriginRoutes,
  explainRoutes,
  queueRoutes,
  capacityRoutes,
  orphanRoutes,
  retentionRoutes,
  costRoutes,
  overviewRoutes,
];

/** Does not listen yet; the caller calls `listen` and `close`. */
export function buildHttp(deps: HttpDeps): FastifyInstance {
  const direct = new DirectRequests(deps);
  const app = baseHttp(deps, (handle, options) => createServer(options, direct.before(handle)));
  const on = mounter(app, deps);
  for (const domain of DOMAINS) domain(on, deps);
  healthRoutes(app, deps);
  prometheusRoutes(app, deps);
  apiDocsRoutes(app);
  docsSiteRoutes(app, deps.docsSite ?? assets.docsSite);
  if (deps.webUi === null) withoutWebUi(app);
  else webUiRoutes(app, deps.webUi);
  openApiRoutes(app);
  const { origins } = deps;
  const ownPaths: OwnPaths | null =
    origins && ((request, reply) => answerOwnPath(deps, origins, request, reply));
  const forProxy = {
    ...{ ...deps, ownPaths, direct, admitModelUser: modelAdmission(deps) },
    ...{ models: modelTable(deps.store.services), modelUsage: deps.store.modelUsage },
    now: () => deps.context().now,
  };
  modelChatRoute(app, forProxy, proxyRoutes(app, forProxy));
  app.server.on('upgrade', serviceUpgrades(forProxy));
  mcpRoutes(app, deps);
  return app;
}

function withoutWebUi(app: FastifyInstance): void {
  app.setNotFoundHandler(answerUnknown);
  app.get('/', async (_request, reply) => reply.redirect('/api/docs', 307));
}
