/** The answers of OpenAI's API for the models of a project, which a server and a gateway both give. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

/** Models of the project `main`: `parrot` by OpenAI's API, and `tgi` by that of Text Generation Inference. */
export interface ModelWorld {
  /** The base URL, without a slash at its end. */
  readonly url: string;
  /** The value of `Authorization` of each caller. */
  readonly callers: {
    /** A person. */
    readonly member: string;
    readonly stranger: string;
    /** A service token for the model `owl` alone. */
    readonly other: string;
    /** A service token that may send two requests per minute. */
    readonly paced: string;
    /** A service token with a budget of 40 tokens. */
    readonly bounded: string;
  };
  /** Uses that the server has stored: the sum of requests and tokens. */
  readonly used: () => Promise<{ readonly requests: number; readonly tokens: number }>;
  readonly close: () => Promise<void>;
}

/** `port`: of an app that has both models. */
export type OpenModelWorld = (port: number) => Promise<ModelWorld>;

export const TGI_TEMPLATE = '{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}';

const JSON_TYPE = { 'content-type': 'application/json' };
const COMPLETION = '{"choices":[],"usage":{"prompt_tokens":30,"completion_tokens":20}}';
const EVENT = 'data: {"choices":[{"delta":{"content":"hello"}}]}\n\n';
const USAGE = 'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}\n\n';
const GENERATED = {
  generated_text: 'hello</s>',
  details: { finish_reason: 'eos_token', generated_tokens: 3, seed: 7, prefill: [{}, {}] },
};
const PIECE = { token: { text: 'hi', special: false }, details: GENERATED.details };

interface Seen {
  readonly url: string;
  readonly body: Readonly<Record<string, unknown>>;
  readonly authorization: string | null;
}

function app(seen: Seen[]): Server {
  return createServer(async (request, response) => {
    const body = JSON.parse(await text(request)) as Seen['body'];
    const { url = '', headers } = request;
    seen.push({ url, body, authorization: headers.authorization ?? null });
    if (url === '/generate')
      return response.writeHead(200, JSON_TYPE).end(JSON.stringify(GENERATED));
    if (url === '/generate_stream') return response.end(`data: ${JSON.stringify(PIECE)}\n\n`);
    if (body.fail === true) {
      const refusal = { message: 'slow down', type: 'busy', code: 'x' };
      return response
        .writeHead(429, { 'retry-after': '7' })
        .end(JSON.stringify({ error: refusal }));
    }
    if (body.stream !== true) return response.writeHead(200, JSON_TYPE).end(COMPLETION);
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    return response.end(`${EVENT}${USAGE}data: [DONE]\n\n`);
  });
}

const MESSAGES = [{ role: 'user', content: 'hi' }];

export function modelConformance(name: string, open: OpenModelWorld): void {
  describe(`the models of a project at ${name}`, () => {
    const seen: Seen[] = [];
    const model = app(seen);
    let world: ModelWorld;
    beforeAll(async () => {
      model.listen(0, '127.0.0.1');
      await once(model, 'listening');
      world = await open((model.address() as AddressInfo).port);
    });
    afterAll(async () => {
      await world?.close();
      model.closeAllConnections();
      model.close();
    });

    const ask = async (path: string, body: unknown, caller?: string, init: RequestInit = {}) => {
      const answer = await fetch(`${world.url}/${path}`, {
        method: 'POST',
        body: typeof body === 'string' ? body : JSON.stringify(body),
        ...init,
        headers: { authorization: caller ?? world.callers.member, ...init.headers },
      });
      const { status, headers } = answer;
      const content = await answer.text();
      // biome-ignore lint/suspicious/noExplicitAny: each test states what it expects
      const json = (): any => JSON.parse(content);
      return { status, headers, content, json };
    };
    const chat = (more: object = {}, caller?: string) =>
      ask('chat/completions', { model: 'parrot', messages: MESSAGES, ...more }, caller);
    const read = (path: string) => ask(path, null, undefined, { method: 'GET', body: null });

    it('are listed, and each has an entry of its own', async () => {
      const { object, data } = (await read('models')).json();
      expect([object, data.map(({ id }: { id: string }) => id).sort()]).toEqual([
        ...['list', ['parrot', 'tgi']],
      ]);
      expect((await read('v1/models')).json()).toEqual({ object, data });
      const [parrot] = data.filter(({ id }: { id: string }) => id === 'parrot');
      expect(parrot).toEqual({
        ...{ object: 'model', id: 'parrot', owned_by: 'main', created: expect.any(Number) },
      });
      expect(parrot.created).toBeGreaterThan(0);
      expect((await read('v1/models/parrot')).json()).toEqual(parrot);
      const missing = await read('models/owl');
      expect([missing.status, missing.json().error]).toEqual([
        404,
        expect.objectContaining({ code: 'model_not_found', type: 'invalid_request_error' }),
      ]);
    });

    it('answer by the API of OpenAI, below /v1 too, and their apps receive no credentials', async () => {
      for (const path of ['chat/completions', 'v1/chat/completions']) {
        const answer = await ask(path, { model: 'parrot', messages: MESSAGES, seed: 7 });
        expect([answer.status, answer.content]).toEqual([200, COMPLETION]);
        expect(answer.headers.get('x-request-id')).toBeTruthy();
        expect(seen.at(-1)).toMatchObject({
          ...{ url: '/v1/chat/completions', authorization: null },
          body: { messages: MESSAGES, seed: 7 },
        });
      }
    });

    it('stream their answers, without the usage that the client has not asked for', async () => {
      const { headers, content } = await chat({ stream: true });
      expect(headers.get('content-type')).toContain('text/event-stream');
      expect(content).toBe(`${EVENT}data: [DONE]\n\n`);
      expect(seen.at(-1)?.body).toMatchObject({ stream_options: { include_usage: true } });
    });

    it('of Text Generation Inference are translated', async () => {
      const { json } = await chat({ model: 'tgi' });
      expect(seen.at(-1)?.body).toMatchObject({ inputs: '<user>hi' });
      expect(json()).toMatchObject({
        ...{ object: 'chat.completion', model: 'tgi' },
        choices: [{ message: { role: 'assistant', content: 'hello' } }],
        usage: { prompt_tokens: 2, completion_tokens: 3 },
      });
      const streamed = await chat({ model: 'tgi', stream: true });
      expect(streamed.content).toContain('"content":"hi"');
      expect(streamed.content.endsWith('data: [DONE]\n\n')).toBe(true);
      expect((await ask('completions', { model: 'tgi', prompt: 'x' })).status).toBe(404);
    });

    it.each([
      ['names no model', '{"messages":[]}', 422, 'model'],
      ['has an empty name', '{"model":""}', 422, 'model'],
      ['is no JSON', '{"model', 422, 'model'],
    ])('refuse a body that %s, in the form of OpenAI', async (_what, body, status, param) => {
      const refused = await ask('chat/completions', body);
      expect([refused.status, refused.json().error]).toEqual([
        status,
        expect.objectContaining({ param, type: 'invalid_request_error' }),
      ]);
    });

    it('pass on the refusal of a model, and when to try again', async () => {
      const refused = await chat({ fail: true });
      expect([refused.status, refused.headers.get('retry-after'), refused.json().error]).toEqual([
        ...[429, '7', { message: 'slow down', type: 'busy', param: null, code: 'x' }],
      ]);
    });

    it("refuse requests by Anthropic's API in its form, with the way to ask instead", async () => {
      for (const path of ['v1/messages', 'v1/messages/count_tokens']) {
        const refused = await ask(path, { model: 'parrot', messages: MESSAGES });
        expect([refused.status, refused.json()]).toEqual([
          404,
          {
            type: 'error',
            error: {
              type: 'not_found_error',
              message: expect.stringContaining('/v1/chat/completions'),
            },
          },
        ]);
      }
    });

    it('answer other paths in the form of OpenAI, and browsers of every origin', async () => {
      const [posted, got] = [await ask('files', { model: 'parrot' }), await read('nothing')];
      expect([posted.status, got.status]).toEqual([405, 404]);
      expect([posted.json().error.type, got.json().error.type]).toEqual([
        ...['invalid_request_error', 'invalid_request_error'],
      ]);
      const origin = { origin: 'https://page.test' };
      const preflight = { ...origin, 'access-control-request-method': 'POST' };
      const options = await ask('chat/completions', null, '', {
        ...{ method: 'OPTIONS', body: null, headers: preflight },
      });
      expect([options.status, options.headers.get('access-control-allow-origin')]).toEqual([
        204,
        '*',
      ]);
      for (const more of [{}, { model: 'owl' }, { model: 'tgi' }, { model: 'tgi', stream: true }]) {
        const { headers } = await ask(
          'chat/completions',
          { model: 'parrot', messages: MESSAGES, ...more },
          undefined,
          { headers: origin },
        );
        expect(headers.get('access-control-allow-origin')).toBe('*');
        expect(headers.get('x-content-type-options')).toBe('nosniff');
      }
    });

    it('are for members of the project, and for tokens that name them', async () => {
      const { stranger, other } = world.callers;
      const before = seen.length;
      const [foreign, unnamed] = [await chat({}, stranger), await chat({}, other)];
      expect([foreign.status, foreign.json().error.type]).toEqual([403, 'permission_error']);
      expect([unnamed.status, unnamed.json().error.code]).toEqual([403, 'model_not_allowed']);
      expect(seen.length).toBe(before);
    });

    it('answer a token as often as it may ask', async () => {
      const answers = [];
      for (let n = 0; n < 4; n++) answers.push(await chat({}, world.callers.paced));
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 429, 429]);
      const last = answers.at(-1);
      expect(last?.json().error.code).toBe('rate_limit_exceeded');
      expect(Number(last?.headers.get('retry-after'))).toBeGreaterThan(0);
    });

    it('answer a token until its budget is used up, and no longer', async () => {
      const { bounded } = world.callers;
      expect((await chat({}, bounded)).status).toBe(200);
      const refused = await chat({}, bounded);
      expect([refused.status, refused.json().error.code]).toEqual([429, 'insufficient_quota']);
    });

    it('count what each request has used before the client has the end of the answer', async () => {
      const before = await world.used();
      await chat({}, world.callers.member);
      await chat({ stream: true });
      await expect.poll(world.used).toEqual({
        ...{ requests: before.requests + 2, tokens: before.tokens + 55 },
      });
    });
  });
}
