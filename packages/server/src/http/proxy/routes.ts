/** Services without a gateway: everything under `/proxy/services` goes to their replicas. */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import {
  dropRest,
  hostNotFound,
  isOwnPath,
  type ModelEndpoint,
  OPEN_TO_ORIGINS,
  ORIGIN_PREFIX,
  opensWebSocket,
  PREFLIGHT_ANSWER,
  ProxyRefusal,
  refuseUpgrade,
  type ServiceTarget,
  serviceNotFound,
  serviceTarget,
} from '@dstack/proxy';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { isDialIn } from '../../dial-ins/dial-in-url.ts';
import { answerUnknown } from '../error-answers.ts';
import { isJobSocket } from '../exec/job-socket-url.ts';
import type { HttpDeps } from '../ports.ts';
import { requestIdOf } from '../request-id.ts';
import { askToSignIn } from '../service-origins/sign-in.ts';
import { shuttingDown } from '../shutdown.ts';
import { type DirectRequests, WEBDAV } from './direct-requests.ts';
import { type ModelRouteDeps, modelRoutes } from './models/routes.ts';

const PATH = '/proxy/services/:project_name/:run_name';
const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', ...WEBDAV];

/** Replaces the rest of a path, which belongs to the service and may be malformed here. */
const REST = '-';

/** The URL for routing. */
export function routedUrl(url: string): string {
  if (url.startsWith(ORIGIN_PREFIX)) return `${ORIGIN_PREFIX}${REST}`;
  if (!url.startsWith('/proxy/services/')) return url;
  const target = serviceTarget(url);
  return target?.rest.startsWith('/') ? `${target.prefix}/${REST}` : url;
}

/**
 * Upgrades to other protocols are optional; an ordinary answer declines them. Of all that reads a request,
 * this is the first for those with an upgrade.
 */
export function takesUpgrade(request: IncomingMessage): boolean {
  const { url } = request;
  if (!opensWebSocket(request)) return false;
  return url?.startsWith('/proxy/') === true || isJobSocket(url) || isDialIn(url);
}

/** The parts of the serving process that these routes use. */
export interface ProxyRouteDeps
  extends ModelRouteDeps,
    Pick<HttpDeps, 'shutdown' | 'origins' | 'connections'> {
  /** Answers the paths under `/.dstack/` at the host name of a service; null: another process does. */
  readonly ownPaths: OwnPaths | null;
  /** Gets the requests before the framework does. */
  readonly direct: DirectRequests;
  /** Entries about callers that nginx before the server stores are valid until it changes; null = it gets none. */
  readonly generation?: () => string | null;
}

export type OwnPaths = (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply>;

/** Returns the endpoint of models, whose limits hold for all routes that use it. */
export function proxyRoutes(app: FastifyInstance, deps: ProxyRouteDeps): ModelEndpoint {
  for (const method of WEBDAV) app.addHttpMethod(method, { hasBody: true });
  app.register(async (scope) => {
    // Bodies are forwarded as they arrive.
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', (_request, _body, done) => done(null));
    scope.route({ method: METHODS, url: PATH, exposeHeadRoute: false, handler: redirect });
    scope.route({
      method: [...METHODS, 'OPTIONS'],
      url: `${PATH}/${REST}`,
      exposeHeadRoute: false,
      handler: (request, reply) => forward(deps, request, reply),
    });
  });
  app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', (_request, _body, done) => done(null));
    scope.all(`${ORIGIN_PREFIX}${REST}`, (request, reply) => answerAtOrigin(deps, request, reply));
  });
  return modelRoutes(app, deps);
}

export type UpgradeListener = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

/** A listener for the upgrades of services. */
export function serviceUpgrades(deps: Omit<ProxyRouteDeps, 'direct'>): UpgradeListener {
  return (request, socket, head) => {
    if (isJobSocket(request.url) || isDialIn(request.url)) return;
    socket.on('error', () => socket.destroy());
    upgrade(deps, request, socket, head).catch((error: unknown) => {
      if (error instanceof ProxyRefusal && socket.writable) return refuseUpgrade(socket, error);
      if (!(error instanceof ProxyRefusal)) deps.log.error({ err: error }, 'upgrade failed');
      socket.destroy();
    });
  };
}

/** Relative links of an app resolve into the app only from below its path. */
function redirect(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const [path, ...query] = request.originalUrl.split('?');
  return reply
    .code(308)
    .header('location', [`${path}/`, ...query].join('?'))
    .send();
}

async function forward(
  deps: ProxyRouteDeps,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const target = serviceTarget(request.originalUrl);
  return target ? forwardTo(deps, target, request, reply) : answerUnknown(request, reply);
}

/** A request to the host name of a service. A URL alone never leads here. */
async function answerAtOrigin(
  deps: ProxyRouteDeps,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { origins, ownPaths } = deps;
  const taken = origins?.of(request.raw) ?? null;
  if (origins === null || taken === null) return answerUnknown(request, reply);
  if (isOwnPath(taken.url)) {
    return ownPaths === null ? answerUnknown(request, reply) : ownPaths(request, reply);
  }
  const target = await origins.target(request.raw);
  if (target === null) throw hostNotFound(`${taken.label}.${origins.pattern.domain}`);
  try {
    return await forwardTo(deps, target, request, reply);
  } catch (error) {
    const needsSignIn = error instanceof ProxyRefusal && error.needsSignIn;
    const asked = needsSignIn ? askToSignIn(origins, request, reply) : null;
    if (asked === null) throw error;
    return asked;
  }
}

async function forwardTo(
  { services, direct }: ProxyRouteDeps,
  target: ServiceTarget,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { raw, id } = request;
  // Only browsers ask by these rules, and they name the origin; other requests save the look-up.
  const isOpenToOrigins =
    raw.headers.origin !== undefined && (await services.isOpenToOrigins(target));
  if (isOpenToOrigins && isPreflight(raw)) {
    return reply.code(204).headers(PREFLIGHT_ANSWER).send();
  }
  try {
    const failure = direct.failure(raw);
    if (failure !== null) throw failure.error;
    const admitted = await services.admit(target, raw, reply.raw);
    reply.raw.removeHeader('x-request-id');
    await services.forward(admitted, { request: raw, response: reply.raw, id });
  } catch (error) {
    if (isOpenToOrigins) reply.headers(OPEN_TO_ORIGINS);
    // Those that were tried before they came here do it already.
    if (direct.failure(raw) === null) dropRest(raw, reply.raw);
    throw error;
  }
  return reply.hijack();
}

/** A browser sends it without credentials. */
export function isPreflight({ method, headers }: IncomingMessage): boolean {
  return (
    method === 'OPTIONS' &&
    headers.origin !== undefined &&
    headers['access-control-request-method'] !== undefined
  );
}

const NO_SERVICE = { projectName: '', runName: '' };

async function upgrade(
  { services, shutdown, origins }: Omit<ProxyRouteDeps, 'direct'>,
  request: FastifyRequest['raw'],
  socket: Duplex,
  head: Buffer,
): Promise<void> {
  if (shutdown.isEnding) throw shuttingDown();
  shutdown.track(socket);
  const taken = origins?.of(request) ?? null;
  if (taken !== null && isOwnPath(taken.url)) throw hostNotFound(taken.label);
  const target = taken === null ? serviceTarget(request.url ?? '') : await origins?.target(request);
  if (!target) throw taken ? hostNotFound(taken.label) : serviceNotFound(NO_SERVICE);
  const admitted = await services.admit(target, request, socket);
  await services.upgrade(admitted, { request, socket, head, id: requestIdOf(request) });
}
