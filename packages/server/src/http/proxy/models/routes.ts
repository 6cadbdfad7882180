/** Models of a project under one address, with OpenAI's API: the routes to `ModelApi`. */
import { endpoints } from '@dstack/contract/api';
import {
  type AdmitToModels,
  type JsonAnswer,
  ModelApi,
  type ModelEndpoint,
  type ModelEndpointDeps,
  modelErrorAnswer,
  OPEN_TO_ORIGINS,
} from '@dstack/proxy';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { tokenOnly } from '../../../callers/credentials.ts';
import { sendJson } from '../../error-answers.ts';
import { welcome } from '../../intake/connections.ts';
import type { HttpDeps } from '../../ports.ts';
import type { AdmitModelUser } from './model-admission.ts';

interface ProjectRoute {
  readonly Params: { readonly project_name: string; readonly '*': string };
}

const CHAT = endpoints['models.chat'];
const PATH = '/proxy/models/:project_name/*';

/** Browsers must not guess the type of a response. */
const NO_SNIFF = ['X-Content-Type-Options', 'nosniff'] as const;

/** The parts of the serving process that the routes of models use. */
export interface ModelRouteDeps
  extends Omit<ModelEndpointDeps, 'log' | 'services'>,
    Pick<HttpDeps, 'log' | 'services'> {
  readonly admitModelUser: AdmitModelUser;
}

/** Returns the endpoint, whose limits hold for all routes that use it. */
export function modelRoutes(app: FastifyInstance, deps: ModelRouteDeps): ModelEndpoint {
  const api = new ModelApi(deps, admitter(deps.admitModelUser));
  app.register(async (scope) => {
    scope.setErrorHandler(answerModelError);
    scope.addHook('onRequest', async (_request, reply) => {
      reply.header(...NO_SNIFF).headers(OPEN_TO_ORIGINS);
    });
    scope.all<ProjectRoute>(PATH, async (request, reply) => {
      const { project_name: project, '*': path } = request.params;
      const asked = { project, path, request: request.raw, response: reply.raw, id: request.id };
      return sendAnswer(reply, await api.answer(asked));
    });
  });
  return api.endpoint;
}

/**
 * A chat from the pages of this server. The session counts here as in the rest of the API, which requires
 * the exact origin; under `/proxy` it does not, as other people's pages are there.
 */
export function modelChatRoute(
  app: FastifyInstance,
  {
    admitModelUser,
    credentials,
  }: Pick<ModelRouteDeps, 'admitModelUser'> & Pick<HttpDeps, 'credentials'>,
  endpoint: ModelEndpoint,
): void {
  app.register(async (scope) => {
    scope.setErrorHandler(answerModelError);
    scope.addHook('onRequest', async (_request, reply) => {
      reply.header(...NO_SNIFF);
    });
    scope.route<ProjectRoute>({
      method: CHAT.method,
      url: CHAT.path.replace('{project_name}', ':project_name'),
      handler: async ({ raw: request, params, id }, reply) => {
        const { raw: response } = reply;
        const call = { endpoint: CHAT, project: params.project_name, request };
        const admit = (onRevoked: () => void) =>
          admitModelUser({ ...call, credentials: credentials.of(request) }, onRevoked);
        const caller = await cutOffWith(admit, response);
        welcome(request);
        const chat = { path: 'chat/completions', request, response, id, originHeaders: {} };
        return sendAnswer(reply, await endpoint.answer(caller, chat));
      },
    });
  });
}

function admitter(admit: AdmitModelUser): AdmitToModels {
  return async ({ project, request, response }, to) => {
    const endpoint = endpoints[to === 'models' ? 'proxy.models' : 'proxy.model_request'];
    const credentials = tokenOnly(request.headers.authorization);
    const call = { endpoint, project, request, credentials };
    const caller = await cutOffWith((onRevoked) => admit(call, onRevoked), response);
    if (to === 'model') welcome(request);
    return caller;
  };
}

/** Cuts off the response when the access of the admitted caller is revoked. */
async function cutOffWith(
  admit: (onRevoked: () => void) => ReturnType<AdmitModelUser>,
  answer: FastifyReply['raw'],
) {
  const { caller, release } = await admit(() => answer.destroy());
  if (answer.destroyed) release();
  else answer.once('close', release);
  return caller;
}

/** Null: the raw response has it. */
function sendAnswer(reply: FastifyReply, answer: JsonAnswer | null): FastifyReply {
  if (answer === null) return reply.hijack();
  if (answer.retryAfter !== null) reply.header('retry-after', answer.retryAfter);
  return sendJson(reply, answer.status, answer.body);
}

/** Error handler of the model endpoints. */
function answerModelError(error: Error, request: FastifyRequest, reply: FastifyReply) {
  const onFailure = (err: Error) => request.log.error({ err }, 'request failed');
  return sendAnswer(reply, modelErrorAnswer(error, onFailure));
}
