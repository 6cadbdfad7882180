/** Models of a project under one address, with OpenAI's API. */
import { ApiError, accessDenied, type Endpoint, endpoints } from '@dstack/contract/api';
import { isRunRunning } from '@dstack/contract/status';
import type { ServiceView } from '@dstack/store';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { OPEN_TO_ORIGINS, PREFLIGHT_ANSWER } from '../../../proxy/headers.ts';
import { notAdmitted, tooManySignIns } from '../../../proxy/refusal.ts';
import { routeOf } from '../../../proxy/service-routes.ts';
import { answerUnknown, sendJson } from '../../error-answers.ts';
import { identifyCaller } from '../../identity.ts';
import { welcome } from '../../intake/connections.ts';
import type { HttpDeps } from '../../ports.ts';
import { type Credentials, tokenOnly } from '../../sessions/credentials.ts';
import { TooManySignIns } from '../../sign-in-guard.ts';
import { NO_SNIFF } from './chunk-stream.ts';
import { ModelEndpoint, type ModelUser } from './model-endpoint.ts';
import { answerModelError } from './model-errors.ts';
import { modelPath } from './model-paths.ts';

interface ProjectRoute {
  readonly Params: { readonly project_name: string; readonly '*': string };
}

const LIST = endpoints['proxy.models'];
const REQUEST = endpoints['proxy.model_request'];
const CHAT = endpoints['models.chat'];
const listPath = LIST.path.replace('{project_name}', ':project_name');
const anyPath = REQUEST.path.replace('{project_name}', ':project_name').replace('{path}', '*');

export function modelRoutes(app: FastifyInstance, deps: HttpDeps): void {
  const endpoint = new ModelEndpoint(deps);
  app.register(async (scope) => {
    scope.setErrorHandler(answerModelError);
    // Responses are JSON or events; browsers must not guess another type.
    scope.addHook('onRequest', async (_request, reply) => {
      reply.header(...NO_SNIFF).headers(OPEN_TO_ORIGINS);
    });
    routes(scope, deps, endpoint);
  });
  app.register(async (scope) => {
    scope.setErrorHandler(answerModelError);
    scope.addHook('onRequest', async (_request, reply) => {
      reply.header(...NO_SNIFF);
    });
    chatRoute(scope, deps, endpoint);
  });
}

/**
 * A chat from the pages of this server. The session counts here as in the rest of the API, which requires
 * the exact origin; under `/proxy` it does not, as other people's pages are there.
 */
function chatRoute(app: FastifyInstance, deps: HttpDeps, endpoint: ModelEndpoint): void {
  app.route<ProjectRoute>({
    method: CHAT.method,
    url: CHAT.path.replace('{project_name}', ':project_name'),
    handler: async (request, reply) => {
      const credentials = deps.credentials.of(request.raw);
      const caller = await admitCaller(deps, CHAT, request, reply, credentials);
      welcome(request.raw);
      return await endpoint.answer('chat/completions', caller, request, reply, {});
    },
  });
}

function routes(app: FastifyInstance, deps: HttpDeps, endpoint: ModelEndpoint): void {
  const list = async (request: FastifyRequest<ProjectRoute>, reply: FastifyReply) => {
    const { project } = await admitCaller(deps, LIST, request, reply);
    const views = await deps.store.services.withModels(project.id, 'unfinished');
    return sendJson(reply, 200, { object: 'list', data: views.filter(isOffered).map(listed) });
  };
  app.route<ProjectRoute>({ method: LIST.method, url: listPath, handler: list });
  app.route<ProjectRoute>({
    method: LIST.method,
    url: listPath.replace(/models$/, 'v1/models'),
    handler: list,
  });
  app.route<ProjectRoute>({
    method: 'OPTIONS',
    url: anyPath,
    handler: async (_request, reply) => reply.code(204).headers(PREFLIGHT_ANSWER).send(),
  });
  app.route<ProjectRoute>({
    method: REQUEST.method,
    url: anyPath,
    handler: async (request, reply) => {
      const path = modelPath(request.params['*']);
      if (path === null) return answerUnknown(request, reply);
      const caller = await admitCaller(deps, REQUEST, request, reply);
      welcome(request.raw);
      return await endpoint.answer(path, caller, request, reply, OPEN_TO_ORIGINS);
    },
  });
}

/** Admits the caller, and cuts off the response when their access is revoked. */
async function admitCaller(
  deps: HttpDeps,
  endpoint: Endpoint,
  request: FastifyRequest<ProjectRoute>,
  { raw: answer }: FastifyReply,
  credentials: Credentials = tokenOnly(request.headers.authorization),
): Promise<ModelUser> {
  const name = request.params.project_name;
  try {
    const identifyCaller = () => modelUser(deps, endpoint, request, credentials);
    const { caller, release } = await deps.access.admit(identifyCaller, () => answer.destroy());
    if (answer.destroyed) release();
    else answer.once('close', release);
    return caller;
  } catch (error) {
    if (error instanceof TooManySignIns) throw tooManySignIns(error);
    if (!(error instanceof ApiError)) throw error;
    throw notAdmitted(name, error);
  }
}

/** Throws `ApiError`. */
async function modelUser(
  { store, settings, context, signIns }: HttpDeps,
  endpoint: Endpoint,
  { params, raw }: FastifyRequest<ProjectRoute>,
  credentials: Credentials,
): Promise<ModelUser> {
  const parts = {
    store,
    now: () => context().now,
    lookUp: signIns.from(raw),
    sshProxyToken: settings.sshProxyToken,
  };
  const name = params.project_name;
  const { user, project, expiresAt } = await identifyCaller(parts, endpoint, credentials, name);
  if (!user || !project) throw accessDenied();
  return { name: user.name, userId: user.id, projectId: project.id, expiresAt, project };
}

/** Whether the model runs, or starts on request. */
function isOffered(view: ServiceView): boolean {
  return isRunRunning(view.run.status) || routeOf(view)?.mayBeEmpty === true;
}

function listed({ run, projectName }: ServiceView) {
  return {
    object: 'model',
    id: run.serviceSpec?.model?.name,
    created: Math.floor(run.submittedAt / 1_000_000),
    owned_by: projectName,
  };
}
