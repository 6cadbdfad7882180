/** `gateway.<domain>`: all models of a project that have OpenAI's API, at one address. */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { GatewayModelUse } from '@dstack/contract/agent';
import {
  type Admit,
  askAny,
  dropRest,
  inOrderOfTrial,
  isMessagesPath,
  NO_MESSAGES,
  ProxyRefusal,
  type ServiceProxy,
} from '@dstack/proxy';
import { meterOf, useOf, withUsage } from './model-usage.ts';
import { unknownHost } from './origin.ts';
import type { HostedService, HostedServices } from './services.ts';

export interface ModelHostOptions {
  readonly services: HostedServices;
  readonly proxy: ServiceProxy;
  readonly admit: Admit;
  /** Called once for each answer, before the client has its end. */
  readonly onUsed: (use: GatewayModelUse) => Promise<void>;
}

/** The body is read to find the name of the model. */
const MAX_BODY = 64 * 1024 * 1024;

/** Headers of an answer that are passed on. */
const PASSED = ['content-type', 'content-encoding', 'retry-after', 'x-request-id', 'cache-control'];

export class ModelHost {
  readonly #options: ModelHostOptions;
  #projects = new Map<string, string>();

  constructor(options: ModelHostOptions) {
    this.#options = options;
  }

  /** Host names, and the projects whose models they lead to. */
  setHosts(hosts: Readonly<Record<string, string>>): void {
    this.#projects = new Map(Object.entries(hosts));
  }

  /** A service that was published after the others. */
  add({ host, project }: Pick<HostedService, 'host' | 'project'>): void {
    const own = `gateway${host.slice(host.indexOf('.'))}`;
    if (!this.#projects.has(own)) this.#projects.set(own, project);
  }

  async answer(host: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const project = this.#projects.get(host);
    if (project === undefined) throw unknownHost(host);
    const [path = ''] = (request.url ?? '/').split('?', 1);
    if (isMessagesPath(path.slice(1))) {
      dropRest(request, response);
      response.writeHead(404, { 'content-type': 'application/json' });
      response.end(JSON.stringify(NO_MESSAGES));
      return;
    }
    const caller = await this.#options.admit(project, request, () => response.destroy());
    response.once('close', () => caller.release());
    if (caller.services !== null) {
      throw new ProxyRefusal(403, 'This token may only be used for services, not for models');
    }
    const [, own = ''] = /^\/(?:v1\/)?([a-z0-9_/-]*)$/.exec(path) ?? [];
    const models = this.#models(project);
    if (request.method === 'GET' && own === 'models') {
      const data = [...models.keys()].map((id) => ({
        ...{ object: 'model', id, created: 0, owned_by: project },
      }));
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ object: 'list', data }));
      return;
    }
    const named = /^\/(?:v1\/)?models\/(.+)$/.exec(path)?.[1];
    if (request.method === 'GET' && named !== undefined) {
      const id = decoded(named);
      if (!models.has(id)) throw modelNotFound(id, project);
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ object: 'model', id, created: 0, owned_by: project }));
      return;
    }
    if (request.method !== 'POST' || own === '') {
      throw new ProxyRefusal(404, `There is nothing at ${path}; try /v1/chat/completions`);
    }
    const body = await readBody(request);
    const name = modelOf(body);
    const serving = models.get(name);
    if (!serving) throw modelNotFound(name, project);
    await this.#ask(serving, own, body, { name, project, response, user: caller.name });
  }

  async #ask(
    serving: readonly HostedService[],
    path: string,
    body: Buffer,
    of: {
      readonly name: string;
      readonly project: string;
      readonly response: ServerResponse;
      readonly user: string;
    },
  ): Promise<void> {
    const { proxy } = this.#options;
    const metered = withUsage(path, body);
    const text = metered.body.toString();
    const asker = { client: of.response, user: of.user, id: randomUUID() };
    const services = inOrderOfTrial(await this.#routed(serving), proxy);
    if (services.length === 0) throw modelNotFound(of.name, of.project);
    const answer = await askAny(proxy, services, ({ prefix }) => ({
      ...{ path: `${prefix}/${path}`, body: text, length: metered.body.length, ...asker },
    }));
    const headers = PASSED.flatMap((name) => {
      const value = answer.headers[name];
      return value === undefined ? [] : [[name, value] as const];
    });
    of.response.writeHead(answer.statusCode, Object.fromEntries(headers));
    const isOk = answer.statusCode >= 200 && answer.statusCode < 300;
    const meter = meterOf(answer.headers['content-type'], metered.hidesUsage);
    let isReported = !isOk;
    const report = async (isAborted: boolean) => {
      if (isReported) return;
      isReported = true;
      const whose = { project: of.project, user: of.user, model: of.name };
      await this.#options.onUsed(useOf(whose, meter, { isAborted, now: Date.now() }));
    };
    const send = async (bytes: Buffer) => {
      // A client that reads the marker of the end may disconnect.
      if (meter.isDone) await report(false);
      if (bytes.length > 0 && !of.response.write(bytes)) await drained(of.response);
    };
    try {
      for await (const piece of answer.body as AsyncIterable<Buffer>) await send(meter.push(piece));
      await send(meter.flush());
      await report(of.response.destroyed);
      of.response.end();
    } catch (error) {
      await report(true);
      throw error;
    } finally {
      answer.body.destroy();
    }
  }

  /** With their present routes. */
  async #routed(serving: readonly HostedService[]) {
    const found = await Promise.all(
      serving.map(async ({ project, run, model }) => {
        const route = await this.#options.proxy.find({ projectName: project, runName: run });
        const prefix = model?.prefix.replace(/\/$/, '') ?? '';
        return route === null ? [] : [{ route, prefix }];
      }),
    );
    return found.flat();
  }

  /** The services of each model, the newest first. */
  #models(project: string): Map<string, HostedService[]> {
    const models = new Map<string, HostedService[]>();
    for (const one of this.#options.services.all) {
      if (one.project !== project || one.model === null) continue;
      models.set(one.model.name, [one, ...(models.get(one.model.name) ?? [])]);
    }
    return models;
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

const modelNotFound = (name: string, project: string) =>
  new ProxyRefusal(404, `Model ${name} not found in project ${project}`, {
    code: 'model_not_found',
  });

/** Throws if the client has disconnected. */
async function drained(response: ServerResponse): Promise<void> {
  if (response.destroyed) throw new Error('the client has disconnected');
  const closed = new AbortController();
  const onClose = () => closed.abort(new Error('the client has disconnected'));
  response.once('close', onClose);
  try {
    await once(response, 'drain', { signal: closed.signal });
  } finally {
    response.off('close', onClose);
  }
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY) throw new ProxyRefusal(413, 'The body is over 64 MiB');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function modelOf(body: Buffer): string {
  let model: unknown;
  try {
    ({ model } = JSON.parse(body.toString()) as { model: unknown });
  } catch {
    throw new ProxyRefusal(400, 'The body is not a JSON object');
  }
  if (typeof model === 'string') return model;
  throw new ProxyRefusal(400, '`model` is missing');
}
