import { randomUUID } from 'node:crypto';
import { errorMessage } from '@dstack/contract/error-message';
import * as z from 'zod';
import { ProxyRefusal } from '../refusals/refusal.ts';
import type { ChatRequest } from './chat-request.ts';
import type { ModelClient } from './model-client.ts';
import { answerText } from './read-answer.ts';
import { sseData } from './sse-data.ts';
import { RendererBusy, type TemplateRenderer } from './template-renderer.ts';

/** Settings of a model of Text Generation Inference. */
export interface TgiModel {
  readonly name: string;
  /** Jinja. */
  readonly chatTemplate: string;
  readonly eosToken: string;
}

type Templates = Pick<TemplateRenderer, 'render'>;

const Sequence = z.object({
  generated_text: z.string().default(''),
  finish_reason: z.string(),
  generated_tokens: z.number().default(0),
});

const Details = z.object({
  finish_reason: z.string(),
  generated_tokens: z.number().default(0),
  seed: z.number().nullish(),
  prefill: z.array(z.unknown()).default([]),
  best_of_sequences: z.array(Sequence).nullish(),
});

const Generated = z.object({ generated_text: z.string(), details: Details });

const Piece = z.union([
  z.object({ error: z.string() }),
  z.object({
    token: z.object({ text: z.string(), special: z.boolean().default(false) }),
    details: Details.nullish(),
  }),
]);

/** OpenAI's chat API on top of `/generate`: the template builds one text from the messages. */
export function tgiModel(model: TgiModel, templates: Templates): ModelClient {
  return {
    async complete(request, ask) {
      const answer = await ask(
        '/generate',
        JSON.stringify(await question(model, request, templates, false)),
      );
      const generated = parsed(
        Generated,
        await answerText(answer.body),
        'Invalid response from model',
      );
      return completion(model, generated);
    },
    async *stream(request, ask) {
      const answer = await ask(
        '/generate_stream',
        JSON.stringify(await question(model, request, templates, true)),
      );
      const head = {
        ...{ id: randomUUID().replaceAll('-', ''), object: 'chat.completion.chunk' },
        ...{ created: Math.floor(Date.now() / 1000), model: model.name },
      };
      const stops = new Set([...stopsOf(request), model.eosToken]);
      for await (const data of sseData(answer.body)) {
        const piece = parsed(Piece, data, 'Invalid chunk in model stream');
        if ('error' in piece) throw new ProxyRefusal(400, piece.error);
        const { token, details } = piece;
        const isSaid = !token.special && !(details && stops.has(token.text));
        if (isSaid) yield JSON.stringify({ ...head, ...chunk({ content: token.text }, null) });
        if (!details) continue;
        const fingerprint = { system_fingerprint: `fp_${details.seed ?? 0}` };
        const reason = finishReason(details.finish_reason);
        yield JSON.stringify({ ...head, ...fingerprint, ...chunk({}, reason) });
      }
    },
  };
}

function chunk(delta: { readonly content?: string }, reason: string | null) {
  const message = { ...delta, role: 'assistant' };
  return { choices: [{ index: 0, delta: message, logprobs: null, finish_reason: reason }] };
}

async function question(
  model: TgiModel,
  request: ChatRequest,
  templates: Templates,
  isStream: boolean,
): Promise<unknown> {
  const topP = numberIn(request, 'top_p') ?? 1;
  return {
    inputs: await prompt(model, request, templates),
    parameters: {
      do_sample: true,
      max_new_tokens: numberIn(request, 'max_tokens'),
      stop: [...stopsOf(request), model.eosToken],
      seed: numberIn(request, 'seed'),
      temperature: numberIn(request, 'temperature') ?? 1,
      best_of: numberIn(request, 'n') ?? 1,
      details: true,
      decoder_input_details: !isStream,
      ...(topP < 1 && { top_p: topP }),
    },
  };
}

async function prompt(
  { chatTemplate }: TgiModel,
  { messages }: ChatRequest,
  templates: Templates,
): Promise<string> {
  try {
    return await templates.render({ template: chatTemplate, messages });
  } catch (error) {
    if (error instanceof RendererBusy) {
      const text = 'Too many chats are waiting: try again in a moment';
      throw new ProxyRefusal(503, text, { code: 'busy', retryAfter: 1, cause: error });
    }
    const why = errorMessage(error);
    throw new ProxyRefusal(400, `Failed to render chat template: ${why}`, { cause: error });
  }
}

function completion(model: TgiModel, { generated_text, details }: z.infer<typeof Generated>) {
  const sequences = [{ ...details, generated_text }, ...(details.best_of_sequences ?? [])];
  const prompted = details.prefill.length;
  const completed = sequences.reduce((sum, one) => sum + one.generated_tokens, 0);
  return {
    id: randomUUID().replaceAll('-', ''),
    object: 'chat.completion',
    created: Math.floor(Date.now() / 1000),
    model: model.name,
    system_fingerprint: `fp_${details.seed ?? 0}`,
    choices: sequences.map((one, index) => ({
      index,
      finish_reason: finishReason(one.finish_reason),
      message: { role: 'assistant', content: withoutEnd(one.generated_text, model.eosToken) },
    })),
    usage: {
      prompt_tokens: prompted,
      completion_tokens: completed,
      total_tokens: prompted + completed,
    },
  };
}

function withoutEnd(generated: string, end: string): string {
  return end !== '' && generated.endsWith(end) ? generated.slice(0, -end.length) : generated;
}

function finishReason(word: string): string {
  return word === 'length' ? 'length' : 'stop';
}

function stopsOf({ stop }: ChatRequest): string[] {
  return [stop ?? []].flat().filter((one) => typeof one === 'string');
}

function numberIn(request: ChatRequest, name: string): number | undefined {
  const value = request[name];
  return typeof value === 'number' ? value : undefined;
}

function parsed<T extends z.ZodType>(schema: T, json: string, failure: string): z.infer<T> {
  try {
    return schema.parse(JSON.parse(json));
  } catch (error) {
    throw new ProxyRefusal(502, failure, { cause: error });
  }
}
