/** Models of a project under one address, with OpenAI's API. */
import type { ServerResponse } from 'node:http';
import { ApiError, accessDenied, type Endpoint, endpoints } from '@dstack/contract/api';
import { isRunRunning } from '@dstack/contract/status';

import type { ProjectRecord, ServiceView } from '@dstack/store';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { AdmittedCaller } from '../../../access/access-watch.ts';
import { notAdmitted, ProxyRefusal, tooManySignIns } from '../../../proxy/refusal.ts';
import { routeOf, type ServiceRoute } from '../../../proxy/service-routes.ts';
import { sendJson } from '../../error-answers.ts';
import { identifyCaller } from '../../identity.ts';
import { bodyLimits } from '../../intake/body-limits.ts';
import { welcome } from '../../intake/connections.ts';
import type { HttpDeps } from '../../ports.ts';
import { tokenOnly } from '../../sessions/credentials.ts';
import { TooManySignIns } from '../../sign-in-guard.ts';
import { type ChatRequest, chatRequest } from './chat-request.ts';
import { NO_SNIFF, streamChunks } from './chunk-stream.ts';
import type { AskModel, Model, ModelClient } from './model-client.ts';
import { answerModelError, modelRefusal } from './model-errors.ts';
import { openAiModel } from './openai-model.ts';
import { answerText } from './read-answer.ts';
import { tgiModel } from './tgi-model.ts';

interface ProjectRoute {
  readonly Params: { readonly project_name: string };
}

const LIST = endpoints['proxy.models'];
const CHAT = endpoints['proxy.chat_completions'];
const pathOf = (endpoint: Endpoint) => endpoint.path.replace('{project_name}', ':project_name');

export function modelRoutes(app: FastifyInstance, deps: HttpDeps): void {
  app.register(async (scope) => {
    scope.setErrorHandler(answerModelError);
    // Responses are JSON or events; browsers must not guess another type.
    scope.addHook('onRequest', async (_request, reply) => {
      reply.header(...NO_SNIFF);
    });
    routes(scope, deps);
  });
}

function routes(app: FastifyInstance, deps: HttpDeps): void {
  app.route<ProjectRoute>({
    method: LIST.method,
    url: pathOf(LIST),
    handler: async (request, reply) => {
      const { project } = await admitCaller(deps, LIST, request, reply);
      const views = await deps.store.services.withModels(project.id, 'unfinished');
      const data = views.filter(isOffered).map(listed);
      return sendJson(reply, 200, { object: 'list', data });
    },
  });
  app.route<ProjectRoute>({
    method: CHAT.method,
    url: pathOf(CHAT),
    handler: async (request, reply) => {
      const { project, name: user } = await admitCaller(deps, CHAT, request, reply);
      welcome(request.raw);
      const lease = deps.intake.budget.open(project.id);
      try {
        const limits = bodyLimits('proxy.chat_completions', false);
        const chat = chatRequest(await deps.intake.json(request.raw, limits, lease));
        const { route, model } = await find(deps, project, chat.model);
        return await complete(deps, { route, model, chat, user }, reply);
      } finally {
        lease.release();
      }
    },
  });
}

interface ModelUser extends AdmittedCaller {
  readonly name: string;
  readonly project: ProjectRecord;
}

/** Admits the caller, and cuts off the response when their access is revoked. */
async function admitCaller(
  deps: HttpDeps,
  endpoint: Endpoint,
  request: FastifyRequest<ProjectRoute>,
  { raw: answer }: FastifyReply,
): Promise<ModelUser> {
  const name = request.params.project_name;
  try {
    const identifyCaller = () => modelUser(deps, endpoint, request);
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
  { headers, params, raw }: FastifyRequest<ProjectRoute>,
): Promise<ModelUser> {
  const parts = {
    store,
    now: () => context().now,
    lookUp: signIns.from(raw),
    sshProxyToken: settings.sshProxyToken,
  };
  const name = params.project_name;
  const { user, project, expiresAt } = await identifyCaller(
    parts,
    endpoint,
    tokenOnly(headers.authorization),
    name,
  );
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

/**
 * Prefers, among services with a model of that name, those with a replica, then those that start on
 * request, then others, whose refusal has the cause; the newest of each.
 */
async function find(
  { store }: HttpDeps,
  project: ProjectRecord,
  name: string,
): Promise<ServedModel> {
  const served = serving(name, await store.services.withModels(project.id, 'unfinished'));
  const found =
    served.find(({ route }) => route.replicas.length > 0) ??
    served.find(({ route }) => route.mayBeEmpty) ??
    served[0] ??
    serving(name, await store.services.withModels(project.id, 'finished')).map(finished)[0];
  if (found) return found;
  throw new ProxyRefusal(404, `Model ${name} not found in project ${project.name}`, {
    code: 'model_not_found',
  });
}

/** A finished run cannot be started by requests. */
function finished({ route, model }: ServedModel): ServedModel {
  return { route: { ...route, scaled: false, mayBeEmpty: false }, model };
}

function serving(name: string, views: readonly ServiceView[]): ServedModel[] {
  return views.flatMap((view) => {
    const { configuration } = view.run.spec;
    // In the form in which it was completed when the service was submitted.
    const completed = view.run.serviceSpec?.options.openai as { model?: Model } | undefined;
    const model = completed?.model ?? (configuration.type === 'service' && configuration.model);
    const route = routeOf(view);
    return route && model && model.name === name ? [{ route, model }] : [];
  });
}

interface ServedModel {
  readonly route: ServiceRoute;
  readonly model: Model;
}

interface Completion extends ServedModel {
  readonly chat: ChatRequest;
  /** Name of the caller. */
  readonly user: string;
}

async function complete(
  deps: HttpDeps,
  { route, model, chat, user }: Completion,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const client = clientOf(deps, model);
  const ask = asker(deps, route, user, reply.raw);
  if (chat.stream !== true) return sendJson(reply, 200, await client.complete(chat, ask));
  await streamChunks(client.stream(chat, ask), reply.raw);
  return reply.hijack();
}

function clientOf({ chatTemplates }: HttpDeps, model: Model): ModelClient {
  if (model.format === 'openai') return openAiModel(model.prefix);
  const { name, chat_template: chatTemplate, eos_token: eosToken } = model;
  const served = { name, chatTemplate: chatTemplate ?? '', eosToken: eosToken ?? '' };
  return tgiModel(served, chatTemplates);
}

/** An answer other than 200 is passed to the client with the model's own message. */
function asker(
  { services }: HttpDeps,
  route: ServiceRoute,
  user: string,
  client: ServerResponse,
): AskModel {
  return async (path, body) => {
    const answer = await services.ask(route, { path, body, user, client });
    if (answer.statusCode === 200) return answer;
    const text = await answerText(answer.body);
    throw modelRefusal(answer.statusCode, text, answer.headers['retry-after']);
  };
}
