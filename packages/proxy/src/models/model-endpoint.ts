import type { IncomingMessage, ServerResponse } from 'node:http';
import type { GrantedCaller } from '../callers/grants.ts';
import type { BodyLimits, Intake } from '../intake/intake.ts';
import { JSON_LIMITS, JsonScan } from '../intake/json-scan.ts';
import { parseJson, UnprocessableError, unreadableJson } from '../intake/parse-json.ts';
import type { ProxyLog } from '../log.ts';
import type { TakeRate } from '../policy/rate-limits.ts';
import { ProxyRefusal } from '../refusals/refusal.ts';
import { askAny } from '../requests/ask-any.ts';
import type { Question } from '../requests/requests.ts';
import type { ServiceProxy } from '../requests/service-proxy.ts';
import { streamChunks } from './chunk-stream.ts';
import type { UseStore } from './metered-use.ts';
import type { AskModel } from './model-client.ts';
import { ModelDirectory } from './model-directory.ts';
import { type JsonAnswer, jsonAnswer, modelRefusal } from './model-errors.ts';
import { type ModelRequest, readModelRequest } from './model-request.ts';
import { type PassedUse, passToModel } from './pass-through.ts';
import { modelErrorText } from './read-answer.ts';
import type { Model, ModelTable, ServedModel } from './served-model.ts';
import { SpoolSpace } from './spool-space.ts';
import type { TemplateRenderer } from './template-renderer.ts';
import { checkTokenLimits } from './token-limits.ts';
import { translation } from './translation.ts';
import { UsageLog } from './usage-log.ts';
import { type Tokens, tokensIn } from './usage-meter.ts';

export type ModelUser = Pick<
  GrantedCaller,
  'name' | 'userId' | 'projectId' | 'projectName' | 'token'
>;

/** The parts of the serving process that the endpoint uses. */
export interface ModelEndpointDeps {
  readonly services: Pick<
    ServiceProxy,
    'find' | 'load' | 'accepts' | 'ask' | 'limitRate' | 'takeRate' | 'countModel'
  >;
  readonly models: ModelTable;
  readonly modelUsage: UseStore;
  readonly intake: Intake;
  /** Folder for large bodies, and the most bytes of one. */
  readonly modelBodies: { readonly dir: string; readonly limit: number };
  readonly chatTemplates: Pick<TemplateRenderer, 'render'>;
  /** Microseconds. */
  readonly now: () => number;
  readonly log: ProxyLog;
}

/** A request to a model. */
export interface ModelExchange {
  /** Below the base URL. */
  readonly path: string;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly id: string;
  /** Headers that let pages of other origins read the answer. */
  readonly originHeaders: Readonly<Record<string, string>>;
}

interface ModelOrder extends ModelExchange {
  readonly caller: ModelUser;
  readonly asked: ModelRequest;
  readonly served: readonly [ServedModel, ...ServedModel[]];
}

const DAY = 86_400_000_000;

/** How many bodies of the largest size fit at the same time, half of them of one project. */
const LARGEST_BODIES = 8;

/** Chats that are translated; messages carry images as text. Others are passed on without parsing. */
const CHAT_LIMITS: BodyLimits = {
  ...{ sent: 16 * 1024 * 1024, kept: 16 * 1024 * 1024 },
  json: JSON_LIMITS,
};

/** Sends requests to the services that have the model, and stores what they have used. */
export class ModelEndpoint {
  readonly #deps: ModelEndpointDeps;
  readonly #directory: ModelDirectory;
  readonly #usage: UsageLog;
  readonly #space: SpoolSpace;

  constructor(deps: ModelEndpointDeps) {
    const { models, services, now, modelUsage } = deps;
    this.#deps = deps;
    this.#directory = new ModelDirectory({
      ...{ services: models, proxy: services },
      now: () => now() / 1000,
    });
    this.#usage = new UsageLog(modelUsage);
    const { dir, limit } = deps.modelBodies;
    this.#space = new SpoolSpace({ dir, most: limit * LARGEST_BODIES });
  }

  /** Null: it has answered. Throws before anything was answered. */
  async answer(caller: ModelUser, call: ModelExchange): Promise<JsonAnswer | null> {
    const { intake, modelBodies } = this.#deps;
    const lease = intake.budget.open(caller.projectId);
    const reserve = (bytes: number) => intake.reserve(lease, bytes);
    const share = this.#space.open(caller.projectId);
    const rules = { ...modelBodies, pace: intake.pace, reserve, reserveDisk: share.take };
    try {
      const asked = await readModelRequest(call.request, call.path, rules);
      try {
        const take: TakeRate = (...of) => this.#deps.services.takeRate(...of);
        await checkTokenLimits(caller.token, asked.model, take);
        const served = await this.#directory.find(caller, asked.model);
        const order = { ...call, caller, asked, served };
        if (served[0].model.format !== 'openai') return await this.#translate(order);
        await this.#pass(order);
        return null;
      } finally {
        await asked.body.dispose();
      }
    } finally {
      share.release();
      lease.release();
    }
  }

  async #pass(order: ModelOrder): Promise<void> {
    const { path, caller, asked, served, request, response, id, originHeaders } = order;
    const { services } = this.#deps;
    const [{ route, model }] = served;
    await services.limitRate(route, modelUrl(model, path), request);
    await passToModel({
      ...{ services, served, path, request: asked, user: caller.name, id },
      ...{ client: response, originHeaders },
      onUsed: (used) => this.#used(order, used),
    });
  }

  /** A model of Text Generation Inference supports chats only. */
  async #translate(order: ModelOrder): Promise<JsonAnswer | null> {
    const { path, caller, asked, served, request, response, id } = order;
    const [{ route, model }] = served;
    if (path !== 'chat/completions') {
      throw new ProxyRefusal(404, `Model ${asked.model} only supports chat/completions`);
    }
    const [{ chatRequest }, { tgiModel }] = await translation();
    const chat = chatRequest(await parsedBody(asked));
    await this.#deps.services.limitRate(route, '/generate', request);
    const client = tgiModel(tgiSettings(model), this.#deps.chatTemplates);
    const begunAt = performance.now();
    let by = served[0];
    const onAsked = (one: ServedModel) => {
      by = one;
    };
    const ask = this.#asker(served, { user: caller.name, id, client: response }, onAsked);
    if (chat.stream !== true) {
      const completion = await client.complete(chat, ask);
      const tokens = tokensIn(usageOf(completion)) ?? NO_TOKENS;
      await this.#used(order, { tokens, isAborted: response.destroyed, by, firstMs: null });
      return jsonAnswer(200, completion);
    }
    let count = 0;
    let firstMs: number | null = null;
    const counted = async function* () {
      for await (const chunk of client.stream(chat, ask)) {
        firstMs ??= performance.now() - begunAt;
        count += 1;
        yield chunk;
      }
    };
    try {
      await streamChunks(counted(), response, order.originHeaders);
    } finally {
      if (count > 0) {
        const tokens = { ...NO_TOKENS, completionTokens: count };
        const isAborted = !response.writableFinished && response.destroyed;
        await this.#used(order, { tokens, isAborted, by, firstMs });
      }
    }
    return null;
  }

  /** An answer other than 200 is passed to the client with the model's own message. */
  #asker(
    served: readonly ServedModel[],
    asker: Pick<Question, 'user' | 'id' | 'client'>,
    onAsked: (one: ServedModel) => void,
  ): AskModel {
    return async (path, body) => {
      const answer = await askAny(this.#deps.services, served, (one) => {
        onAsked(one);
        return { path, body, ...asker };
      });
      if (answer.statusCode === 200) return answer;
      const text = await modelErrorText(answer.body);
      throw modelRefusal(answer.statusCode, text, answer.headers['retry-after']);
    };
  }

  async #used(
    { caller, asked: { model } }: ModelOrder,
    { tokens, isAborted, by, firstMs }: PassedUse,
  ): Promise<void> {
    const { now, log, services } = this.#deps;
    const { promptTokens, completionTokens, isEstimated } = tokens;
    services.countModel(by.route.runId, tokens, firstMs);
    const { userId, projectId, token } = caller;
    const day = Math.floor(now() / DAY);
    const counts = { requests: 1, aborted: isAborted ? 1 : 0, estimated: isEstimated ? 1 : 0 };
    try {
      await this.#usage.add({
        ...{ projectId, userId, tokenId: token?.id ?? null, model, day, ...counts },
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
  const { kept, json } = CHAT_LIMITS;
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
