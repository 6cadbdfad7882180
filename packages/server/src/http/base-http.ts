/** Transport rules that hold for every path, in the API and in the workers of the proxy. */
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerOptions,
} from 'node:http';
import { isOfNginx, MAX_HEADERS, SANDBOX, showClient, toOriginForm } from '@dstack/proxy';
import Fastify, {
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  LogController,
} from 'fastify';
import { answerError, answerUnknown } from './error-answers.ts';
import { boundConnections } from './intake/connections.ts';
import { OpenConnections } from './intake/open-connections.ts';
import { lazyLog } from './lazy-log.ts';
import type { HttpDeps } from './ports.ts';
import { routedUrl, takesUpgrade } from './proxy/routes.ts';
import { requestIdOf } from './request-id.ts';
import { HEALTH_PATHS } from './server-info/health.ts';
import { shuttingDown } from './shutdown.ts';

/** No path of the API has longer parts. */
const MAX_PATH_PART = 1000;

/** Load balancers keep idle connections for a minute: none may be closed while a request is on its way. */
const KEEP_ALIVE_MS = 72_000;

/** Makes the server of an application. `handle`: Fastify's listener, which may get a part of the requests. */
export type MakeServer = (handle: RequestListener, options: ServerOptions) => Server;

const makePlainServer: MakeServer = (handle, options) => createServer(options, handle);

/** Without routes. */
export function baseHttp(
  deps: Pick<HttpDeps, 'log' | 'shutdown' | 'origins' | 'connections'>,
  makeServer = makePlainServer,
): FastifyInstance {
  const { origins } = deps;
  const connections = new OpenConnections(deps.connections);
  const take = (request: IncomingMessage) => {
    if (isOfNginx(request.socket)) showClient(request);
    toOriginForm(request);
    origins?.take(request);
  };
  const shouldUpgradeCallback = (request: IncomingMessage) => {
    take(request);
    if (!takesUpgrade(request)) return false;
    connections.upgraded(request);
    return true;
  };
  const http = { shouldUpgradeCallback, maxHeaderSize: MAX_HEADERS };
  const app = Fastify({
    loggerInstance: deps.log,
    childLoggerFactory: lazyLog,
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
    rewriteUrl: (request) => {
      take(request as IncomingMessage);
      return routedUrl(request.url ?? '/');
    },
    serverFactory: (handle: RequestListener) => makeServer(handle, http),
  }) as unknown as FastifyInstance;
  // Fastify sets these only for servers of its own. Node would cut off an upload after five minutes.
  app.server.requestTimeout = 0;
  app.server.keepAliveTimeout = KEEP_ALIVE_MS;
  const { shutdown } = deps;
  for (const event of ['request', 'checkContinue']) app.server.prependListener(event, take);
  connections.watch(app);
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
  return app;
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
