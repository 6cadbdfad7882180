/** `gateway.<domain>`: all models of a project at one address. */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  dropRest,
  type JsonAnswer,
  ModelApi,
  type ModelEndpointDeps,
  modelErrorAnswer,
  OPEN_TO_ORIGINS,
  ProxyRefusal,
  type WorkerAdmission,
} from '@dstack/proxy';
import { unknownHost } from './origin.ts';

export interface ModelFrontOptions extends ModelEndpointDeps {
  readonly admission: Pick<WorkerAdmission, 'admitModelUser'>;
}

export class ModelFront {
  readonly #api: ModelApi;
  readonly #log: ModelEndpointDeps['log'];
  #projects = new Map<string, string>();

  constructor({ admission, ...deps }: ModelFrontOptions) {
    this.#log = deps.log;
    this.#api = new ModelApi(deps, async ({ project, request, response }, to) => {
      const method = to === 'models' ? 'GET' : 'POST';
      const { caller, release } = await admission.admitModelUser(project, method, request, () =>
        response.destroy(),
      );
      if (response.destroyed) release();
      else response.once('close', release);
      // An earlier server answers as for services.
      if (caller.services !== null) throw servicesOnly();
      return caller;
    });
  }

  /** Host names, and the projects whose models they lead to. */
  setHosts(hosts: Readonly<Record<string, string>>): void {
    this.#projects = new Map(Object.entries(hosts));
  }

  async answer(host: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const project = this.#projects.get(host);
    if (project === undefined) throw unknownHost(host);
    const id = randomUUID();
    response.setHeader('x-request-id', id);
    const [path = ''] = (request.url ?? '/').split('?', 1);
    const asked = { project, path: decoded(path.slice(1)), request, response, id };
    try {
      const answer = await this.#api.answer(asked);
      if (answer !== null) send(answer, request, response);
    } catch (error) {
      if (response.headersSent) throw error;
      const onFailure = (err: Error) => this.#log.error({ err }, 'request failed');
      send(modelErrorAnswer(error as Error, onFailure), request, response);
    }
  }
}

const servicesOnly = () =>
  new ProxyRefusal(403, 'This token may only be used for services, not for models');

function send(
  { status, body, retryAfter }: JsonAnswer,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  dropRest(request, response);
  response.writeHead(status, {
    'content-type': 'application/json',
    'x-content-type-options': 'nosniff',
    ...OPEN_TO_ORIGINS,
    ...(retryAfter !== null && { 'retry-after': String(retryAfter) }),
  });
  response.end(request.method === 'HEAD' ? undefined : JSON.stringify(body));
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
