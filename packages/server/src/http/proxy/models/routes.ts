/** Models of a project under one address, with OpenAI's API. */
import { type Endpoint, endpoints } from '@dstack/contract/api';
import { isRunRunning } from '@dstack/contract/status';
import {
  isMessagesPath,
  modelPath,
  NO_MESSAGES,
  OPEN_TO_ORIGINS,
  PREFLIGHT_ANSWER,
} from '@dstack/proxy';
import type { ServiceView } from '@dstack/store';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { viewRoute } from '../../../service-table/view-route.ts';
import { answerUnknown, sendJson } from '../../error-answers.ts';
import { welcome } from '../../intake/connections.ts';
import type { HttpDeps } from '../../ports.ts';
import { type Credentials, tokenOnly } from '../../sessions/credentials.ts';
import { NO_SNIFF } from './chunk-stream.ts';
import type { AdmitModelUser } from './model-admission.ts';
import { modelNotFound } from './model-directory.ts';
import { ModelEndpoint, type ModelEndpointDeps, type ModelUser } from './model-endpoint.ts';
import { answerModelError } from './model-errors.ts';

interface ProjectRoute {
  readonly Params: { readonly project_name: string; readonly '*': string };
}

const LIST = endpoints['proxy.models'];
const REQUEST = endpoints['proxy.model_request'];
const CHAT = endpoints['models.chat'];
const listPath = LIST.path.replace('{project_name}', ':project_name');
const anyPath = REQUEST.path.replace('{project_name}', ':project_name').replace('{path}', '*');

/** The parts of the serving process that the routes of models use. */
export interface ModelRouteDeps extends ModelEndpointDeps {
  readonly admitModelUser: AdmitModelUser;
}

/** Returns the endpoint, whose limits hold for all routes that use it. */
export function modelRoutes(app: FastifyInstance, deps: ModelRouteDeps): ModelEndpoint {
  const endpoint = new ModelEndpoint(deps);
  app.register(async (scope) => {
    scope.setErrorHandler(answerModelError);
    // Responses are JSON or events; browsers must not guess another type.
    scope.addHook('onRequest', async (_request, reply) => {
      reply.header(...NO_SNIFF).headers(OPEN_TO_ORIGINS);
    });
    routes(scope, deps, endpoint);
  });
  return endpoint;
}

/** A chat from the pages of the web UI. */
export function modelChatRoute(
  app: FastifyInstance,
  deps: ModelRouteDeps & Pick<HttpDeps, 'credentials'>,
  endpoint: ModelEndpoint,
): void {
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
function chatRoute(
  app: FastifyInstance,
  deps: ModelRouteDeps & Pick<HttpDeps, 'credentials'>,
  endpoint: ModelEndpoint,
): void {
  app.route<ProjectRoute>({
    method: CHAT.method,
    url: CHAT.path.replace('{project_name}', ':project_name'),
    handler: async (request, reply) => {
      const credentials = deps.credentials.of(request.raw);
      const caller = await admitCaller(deps.admitModelUser, CHAT, request, reply, credentials);
      welcome(request.raw);
      return await endpoint.answer('chat/completions', caller, request, reply, {});
    },
  });
}

function routes(app: FastifyInstance, deps: ModelRouteDeps, endpoint: ModelEndpoint): void {
  const list = async (request: FastifyRequest<ProjectRoute>, reply: FastifyReply) => {
    const { project } = await admitCaller(deps.admitModelUser, LIST, request, reply);
    const views = await deps.store.services.withModels(project.id, 'unfinished');
    return sendJson(reply, 200, { object: 'list', data: views.filter(isOffered).map(listed) });
  };
  const retrieve = async (request: FastifyRequest<ProjectRoute>, reply: FastifyReply) => {
    const { project } = await admitCaller(deps.admitModelUser, LIST, request, reply);
    const name = request.params['*'];
    const views = await deps.store.services.withModels(project.id, 'unfinished');
    const found = views
      .filter(isOffered)
      .map(listed)
      .find(({ id }) => id === name);
    if (found === undefined) throw modelNotFound(name, project.name);
    return sendJson(reply, 200, found);
  };
  app.route<ProjectRoute>({ method: LIST.method, url: listPath, handler: list });
  app.route<ProjectRoute>({
    method: LIST.method,
    url: listPath.replace(/models$/, 'v1/models'),
    handler: list,
  });
  // Names of models may contain slashes.
  for (const path of [listPath, listPath.replace(/models$/, 'v1/models')]) {
    app.route<ProjectRoute>({ method: LIST.method, url: `${path}/*`, handler: retrieve });
  }
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
      if (path === null && isMessagesPath(request.params['*'])) {
        return sendJson(reply, 404, NO_MESSAGES);
      }
      if (path === null) return answerUnknown(request, reply);
      const caller = await admitCaller(deps.admitModelUser, REQUEST, request, reply);
      welcome(request.raw);
      return await endpoint.answer(path, caller, request, reply, OPEN_TO_ORIGINS);
    },
  });
}

/** Admits the caller, and cuts off the response when their access is revoked. */
async function admitCaller(
  admit: AdmitModelUser,
  endpoint: Endpoint,
  request: FastifyRequest<ProjectRoute>,
  { raw: answer }: FastifyReply,
  credentials: Credentials = tokenOnly(request.headers.authorization),
): Promise<ModelUser> {
  const project = request.params.project_name;
  const call = { endpoint, project, request: request.raw, credentials };
  const { caller, release } = await admit(call, () => answer.destroy());
  if (answer.destroyed) release();
  else answer.once('close', release);
  return caller;
}

/** Whether the model runs, or starts on request. */
function isOffered(view: ServiceView): boolean {
  return isRunRunning(view.run.status) || viewRoute(view)?.mayBeEmpty === true;
}

function listed({ run, projectName }: ServiceView) {
  return {
    object: 'model',
    id: run.serviceSpec?.model?.name,
    created: Math.floor(run.submittedAt / 1_000_000),
    owned_by: projectName,
  };
}
