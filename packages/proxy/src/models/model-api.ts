/** OpenAI's API for all models of a project, as the server and gateways answer it. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { OPEN_TO_ORIGINS, PREFLIGHT_ANSWER } from '../head/headers.ts';
import { ProxyRefusal } from '../refusals/refusal.ts';
import { modelNotFound } from './model-directory.ts';
import { ModelEndpoint, type ModelEndpointDeps, type ModelUser } from './model-endpoint.ts';
import { type JsonAnswer, jsonAnswer } from './model-errors.ts';
import { isMessagesPath, modelPath, NO_MESSAGES } from './model-paths.ts';
import { isListed, listedModel } from './served-model.ts';

/** A request below the base URL of the models of a project. */
export interface ModelApiRequest {
  readonly project: string;
  /** Below the base URL, decoded, without the query; clients may begin it with `v1/`. */
  readonly path: string;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly id: string;
}

/**
 * Admits the caller of the list of models, or of a model, and cuts off the response when their access is revoked.
 * Rejects with `ProxyRefusal`.
 */
export type AdmitToModels = (asked: ModelApiRequest, to: 'models' | 'model') => Promise<ModelUser>;

export class ModelApi {
  readonly endpoint: ModelEndpoint;
  readonly #deps: ModelEndpointDeps;
  readonly #admit: AdmitToModels;

  constructor(deps: ModelEndpointDeps, admit: AdmitToModels) {
    this.#deps = deps;
    this.#admit = admit;
    this.endpoint = new ModelEndpoint(deps);
  }

  /** Null: it has answered. Throws before anything was answered: see `modelErrorAnswer`. */
  async answer(asked: ModelApiRequest): Promise<JsonAnswer | null> {
    const { request, response, path } = asked;
    const { method } = request;
    const listed = /^(?:v1\/)?models(?:\/(.+))?$/.exec(path);
    const isRead = method === 'GET' || method === 'HEAD';
    if (listed !== null && isRead) return await this.#list(asked, listed[1] ?? null);
    if (method === 'OPTIONS') {
      response.writeHead(204, PREFLIGHT_ANSWER).end();
      return null;
    }
    if (method === 'POST' && isMessagesPath(path)) return jsonAnswer(404, NO_MESSAGES);
    const of = modelPath(path);
    if (method === 'POST' && of !== null) {
      const caller = await this.#admit(asked, 'model');
      const call = { path: of, request, response, id: asked.id, originHeaders: OPEN_TO_ORIGINS };
      return await this.endpoint.answer(caller, call);
    }
    throw new ProxyRefusal(isRead ? 404 : 405, isRead ? 'Not Found' : 'Method Not Allowed');
  }

  /** `name`: of one model; null = all. */
  async #list(asked: ModelApiRequest, name: string | null): Promise<JsonAnswer> {
    const { projectId, projectName } = await this.#admit(asked, 'models');
    const served = await this.#deps.models.withModels(projectId, 'unfinished');
    const data = served.filter(isListed).map(listedModel);
    if (name === null) return jsonAnswer(200, { object: 'list', data });
    const found = data.find(({ id }) => id === name);
    if (found === undefined) throw modelNotFound(name, projectName);
    return jsonAnswer(200, found);
  }
}
