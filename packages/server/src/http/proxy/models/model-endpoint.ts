import type { Timestamp } from '@dstack/core';
import type { ModelToken, Question, TakeRate } from '@dstack/proxy';
import { askAny, ProxyRefusal, type Tokens, tokensIn } from '@dstack/proxy';
import type { ProjectRecord, Store } from '@dstack/store';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { AdmittedCaller } from '../../../access/access-watch.ts';
import { sendJson } from '../../error-answers.ts';
import { bodyLimits } from '../../intake/body-limits.ts';
import { JsonScan } from '../../intake/json-scan.ts';
import { parseJson, UnprocessableError, unreadableJson } from '../../intake/parse-json.ts';
import type { HttpDeps } from '../../ports.ts';
import { chatRequest } from './chat-request.ts';
import { streamChunks } from './chunk-stream.ts';
import type { AskModel, Model } from './model-client.ts';
import { ModelDirectory, type ServedModel } from './model-directory.ts';
import { modelRefusal } from './model-errors.ts';
import { type ModelRequest, readModelRequest } from './model-request.ts';
import { passToModel } from './pass-through.ts';
import { modelErrorText } from './read-answer.ts';
import { SpoolSpace } from './spool-space.ts';
import { tgiModel } from './tgi-model.ts';
import { checkTokenLimits } from './token-limits.ts';
import { UsageLog } from './usage-log.ts';

export interface ModelUser extends AdmittedCaller {
  readonly name: string;
  readonly project: Pick<ProjectRecord, 'id' | 'name'>;
  /** Null: a person's credentials. */
  readonly token: ModelToken | null;
}

/** The parts of the serving process that the endpoint uses. */
export interface ModelEndpointDeps
  extends Pick<HttpDeps, 'services' | 'intake' | 'modelBodies' | 'chatTemplates' | 'log'> {
  readonly store: {
    readonly services: Pick<Store['services'], 'withModels'>;
    readonly modelUsage: Pick<Store['modelUsage'], 'add'>;
  };
  readonly context: () => { readonly now: Timestamp };
}

interface ModelOrder {
  /** Below the base URL. */
  readonly path: string;
  readonly caller: ModelUser;
  readonly asked: ModelRequest;
  readonly served: readonly [ServedModel, ...ServedModel[]];
  readonly request: FastifyRequest;
  readonly originHeaders: Readonly<Record<string, string>>;
}

const DAY = 86_400_000_000;

/** How many bodies of the largest size fit at the same time, half of them of one project. */
const LARGEST_BODIES = 8;

/** Sends requests to the services that have the model, and stores what they have used. */
export class ModelEndpoint {
  readonly #deps: ModelEndpointDeps;
  readonly #directory: ModelDirectory;
  readonly #usage: UsageLog;
  readonly #space: SpoolSpace;

  constructor(deps: ModelEndpointDeps) {
    const { store, services, context } = deps;
    const now = () => context().now / 1000;
    this.#deps = deps;
    this.#directory = new ModelDirectory({ services: store.services, proxy: services, now });
    this.#usage = new UsageLog(store.modelUsage);
    const { dir, limit } = deps.modelBodies;
    this.#space = new SpoolSpace({ dir, most: limit * LARGEST_BODIES });
  }

  async answer(
    path: string,
    caller: ModelUser,
    request: FastifyRequest,
    reply: FastifyReply,
    originHeaders: Readonly<Record<string, string>>,
  ): Promise<FastifyReply> {
    const { intake, modelBodies } = this.#deps;
    const lease = intake.budget.open(caller.project.id);
    const reserve = (bytes: number) => intake.reserve(lease, bytes);
    const share = this.#space.open(caller.project.id);
    const rules = { ...modelBodies, pace: intake.pace, reserve, reserveDisk: share.take };
    try {
      const asked = await readModelRequest(request.raw, path, rules);
      try {
        const take: TakeRate = (...asked) => this.#deps.services.takeRate(...asked);
        await checkTokenLimits(caller.token, asked.model, take);
        const served = await this.#directory.find(caller.project, asked.model);
        const order = { path, caller, asked, served, request, originHeaders };
        return served[0].model.format === 'openai'
          ? await this.#pass(order, reply)
          : await this.#translate(order, reply);
      } finally {
        await asked.body.dispose();
      }
    } finally {
      share.release();
      lease.release();
    }
  }

  async #pass(order: ModelOrder, reply: FastifyReply): Promise<FastifyReply> {
    const { path, caller, asked, served, request } = order;
    const { services } = this.#deps;
    const [{ route, model }] = served;
    await services.limitRate(route, modelUrl(model, path), request.raw);
    await passToModel({
      ...{ services, served, path, request: asked, user: caller.name, id: request.id },
      client: reply.raw,
      originHeaders: order.originHeaders,
      onUsed: (tokens, isAborted) => this.#used(order, tokens, isAborted),
    });
    return reply.hijack();
  }

  /** A model of Text Generation Inference supports chats only. */
  async #translate(order: ModelOrder, reply: FastifyReply): Promise<FastifyReply> {
    const { path, caller, asked, served, request } = order;
    const [{ route, model }] = served;
    if (path !== 'chat/completions') {
      throw new ProxyRefusal(404, `Model ${asked.model} only supports chat/completions`);
    }
    const chat = chatRequest(await parsedBody(asked));
    await this.#deps.services.limitRate(route, '/generate', request.raw);
    const client = tgiModel(tgiSettings(model), this.#deps.chatTemplates);
    const ask = this.#asker(served, { user: caller.name, id: request.id, client: reply.raw });
    if (chat.stream !== true) {
      const completion = await client.complete(chat, ask);
      await this.#used(order, tokensIn(usageOf(completion)) ?? NO_TOKENS, reply.raw.destroyed);
      return sendJson(reply, 200, completion);
    }
    let count = 0;
    const counted = async function* () {
      for await (const chunk of client.stream(chat, ask)) {
        count += 1;
        yield chunk;
      }
    };
    try {
      await streamChunks(counted(), reply.raw);
    } finally {
      if (count > 0) {
        const tokens = { ...NO_TOKENS, completionTokens: count };
        await this.#used(order, tokens, !reply.raw.writableFinished && reply.raw.destroyed);
      }
    }
    return reply.hijack();
  }

  /** An answer other than 200 is passed to the client with the model's own message. */
  #asker(
    served: readonly ServedModel[],
    asker: Pick<Question, 'user' | 'id' | 'client'>,
  ): AskModel {
    return async (path, body) => {
      const answer = await askAny(this.#deps.services, served, () => ({ path, body, ...asker }));
      if (answer.statusCode === 200) return answer;
      const text = await modelErrorText(answer.body);
      throw modelRefusal(answer.statusCode, text, answer.headers['retry-after']);
    };
  }

  async #used(
    { caller, asked: { model } }: ModelOrder,
    { promptTokens, completionTokens, isEstimated }: Tokens,
    isAborted: boolean,
  ): Promise<void> {
    const { context, log } = this.#deps;
    const { userId, project, token } = caller;
    const day = Math.floor(context().now / DAY);
    const counts = { requests: 1, aborted: isAborted ? 1 : 0, estimated: isEstimated ? 1 : 0 };
    try {
      await this.#usage.add({
        ...{ projectId: project.id, userId, tokenId: token?.id ?? null, model, day, ...counts },
        ...{ promptTokens, completionTokens },
      });
    } catch (error) {
      log.warn({ err: error, model }, 'the usage of a model was not stored');
    }
  }
}

const NO_TOKENS: Tokens = { promptTokens: 0, completionTokens: 0, isEstimated: true };

const usageOf = (completion: unknown) => (completion as { readonly usage?: unknown }).usage;

function modelUrl(model: Model, path: string): string {
  return `${model.format === 'openai' ? model.prefix : ''}/${path}`;
}

function tgiSettings(model: Model) {
  const template = model.format === 'tgi' ? model : null;
  return {
    name: model.name,
    chatTemplate: template?.chat_template ?? '',
    eosToken: template?.eos_token ?? '',
  };
}

/** Throws `ProxyRefusal` or `UnprocessableError`. */
async function parsedBody({ body }: ModelRequest): Promise<unknown> {
  const { kept, json } = bodyLimits('proxy.model_request', false);
  if (body.size > kept) {
    throw new ProxyRefusal(413, `The body of the request has more than ${kept} bytes`, {
      code: 'body_too_large',
    });
  }
  const bytes = await body.bytes();
  const scan = new JsonScan(json);
  const scanned = scan.push(bytes);
  if ('kind' in scanned) throw new UnprocessableError([unreadableJson(scanned)]);
  return parseJson(bytes, scan.keys);
}
