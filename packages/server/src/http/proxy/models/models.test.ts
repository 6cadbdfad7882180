import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { closedPort } from '../../testing/proxied-services.ts';
import { insertInstances, openHere, serveAt, submitService } from '../../testing/services.ts';
import { startTestServer, type TestServer } from '../../testing/test-server.ts';

let server: TestServer;
let model: Server;
/** The last request to the model, and its answer: status, then pieces of the body. */
let asked: { url: string | undefined; body: Record<string, unknown> };
let answer: readonly [number, ...string[]] = [200];

const hub = async (name: string, token: string | null) => {
  if (token !== 'hf') throw new Error(`no token for ${name}`);
  return { chatTemplate: '{{ messages[0].content }}', eosToken: '</s>' };
};

const TEMPLATE = '{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}';

beforeAll(async () => {
  server = await startTestServer({}, { hub }, openHere);
  model = createServer(async (request, response) => {
    asked = { url: request.url, body: JSON.parse(await text(request)) };
    const [status, ...parts] = answer;
    response.writeHead(status);
    for (const part of parts) response.write(part);
    response.end();
  });
  model.listen(0, '127.0.0.1');
  await once(model, 'listening');
  const instances = await insertInstances(server, 3);
  const models = {
    one: 'parrot',
    two: { format: 'openai', name: 'prefixed', prefix: '/api/v9/' },
    three: { format: 'tgi', name: 'tgi', chat_template: TEMPLATE, eos_token: '</s>' },
  };
  for (const [name, served] of Object.entries(models)) {
    const { id } = await submitService(server, name, { model: served, probes: [] });
    await serveAt(server, id, [(model.address() as AddressInfo).port], instances);
  }
});
afterAll(async () => {
  await server.close();
  model.closeAllConnections();
  model.close();
});

const messages = [
  { role: 'system', content: 'be kind' },
  { role: 'user', content: 'hi' },
];

const chat = (name: string, more: object = {}) =>
  server.call('/proxy/models/main/chat/completions', { model: name, messages, ...more });

describe('models of a project', () => {
  it('are listed, newest first', async () => {
    const list = await server.call('/proxy/models/main/models', undefined, { method: 'GET' });
    expect(list.body).toMatchObject({ object: 'list' });
    expect(list.body.data.map(({ id }: { id: string }) => id)).toEqual([
      'tgi',
      'prefixed',
      'parrot',
    ]);
    expect(list.body.data[0]).toEqual({
      ...{ object: 'model', id: 'tgi', owned_by: 'main', created: expect.any(Number) },
    });
  });

  it('are found by their names, in the form of the list', async () => {
    const get = (path: string) =>
      server.call(`/proxy/models/main/${path}`, undefined, { method: 'GET' });
    const { data } = (await get('models')).body;
    expect((await get('v1/models/tgi')).body).toEqual(data[0]);
    expect((await get('models/tgi')).body).toEqual(data[0]);
    const missing = await get('v1/models/org/none');
    expect(missing).toMatchObject({
      status: 404,
      body: { error: { code: 'model_not_found', message: expect.stringContaining('org/none') } },
    });
  });

  it('receive all fields of the request, and their answers are unchanged', async () => {
    answer = [200, '{"choices":', '[{"message":{"tool_calls":[]}}]}'];
    const more = { tools: [{ type: 'function' }], unknown: { a: 1 } };
    const { status, body } = await chat('prefixed', more);
    expect([status, body]).toEqual([200, { choices: [{ message: { tool_calls: [] } }] }]);
    expect(asked).toEqual({
      url: '/api/v9/chat/completions',
      body: { model: 'prefixed', messages, ...more },
    });
  });

  it('stream', async () => {
    answer = [200, 'data: {"a":', ' 1}\n\ndata: {"a": 2}\r\n\r\n: hm\n\n', 'data: [DONE]\n\n'];
    const { text: streamed, headers } = await chat('parrot', { stream: true });
    expect(streamed).toBe(`data: {"a": 1}\n\ndata: {"a": 2}\r\n\r\n: hm\n\ndata: [DONE]\n\n`);
    expect(headers).toMatchObject({ 'x-accel-buffering': 'no' });
    expect(String(headers['content-type'])).toContain('text/event-stream');
  });

  it.each([
    [[429, 'slow down'], {}, [429, 'slow down']],
    [[429, 'slow down'], { stream: true }, [429, 'slow down']],
  ] as const)('that answer %j to %j are reported as %j', async (given, more, [status, detail]) => {
    answer = given as never;
    const { status: seen, body } = await chat('parrot', more);
    expect([seen, body.detail, body.error.message]).toEqual([status, detail, detail]);
  });

  it('must be named', async () => {
    const unnamed = await server.call('/proxy/models/main/chat/completions', { messages });
    expect(unnamed.status).toBe(422);
    expect(unnamed.body.detail.map(({ loc }: { loc: string[] }) => loc)).toEqual([
      ['body', 'model'],
    ]);
    expect(unnamed.body.error).toMatchObject({ type: 'invalid_request_error', param: 'model' });
    const message = 'Model nosuch not found in project main';
    expect((await chat('nosuch')).body).toEqual({
      detail: message,
      error: { message, type: 'invalid_request_error', param: null, code: 'model_not_found' },
    });
  });
});

it('requests go to another replica if one accepts no connection', async () => {
  const { port } = model.address() as AddressInfo;
  const { id } = await submitService(server, 'half', { model: 'half', probes: [], replicas: 3 });
  const instances = await insertInstances(server, 3);
  await serveAt(server, id, [await closedPort(), await closedPort(), port], instances);
  answer = [200, '{"choices":[]}'];
  for (let i = 0; i < 4; i++) expect((await chat('half')).status).toBe(200);
});

describe('a model of Text Generation Inference', () => {
  const details = {
    ...{ finish_reason: 'eos_token', generated_tokens: 3, seed: 7, prefill: [{}, {}] },
    best_of_sequences: [{ generated_text: 'ho', finish_reason: 'length', generated_tokens: 2 }],
  };

  it('receives one text, and its answer is converted to a chat', async () => {
    answer = [200, JSON.stringify({ generated_text: 'hello</s>', details })];
    const more = { max_tokens: 5, stop: 'end', n: 2, top_p: 0.5, seed: 7 };
    const { body } = await chat('tgi', more);
    expect(asked).toEqual({
      url: '/generate',
      body: {
        inputs: '<system>be kind<user>hi',
        parameters: {
          ...{ do_sample: true, max_new_tokens: 5, stop: ['end', '</s>'], seed: 7 },
          ...{ temperature: 1, best_of: 2, details: true, decoder_input_details: true },
          top_p: 0.5,
        },
      },
    });
    expect(body).toMatchObject({
      ...{ object: 'chat.completion', model: 'tgi', system_fingerprint: 'fp_7' },
      choices: [
        { index: 0, finish_reason: 'stop', message: { role: 'assistant', content: 'hello' } },
        { index: 1, finish_reason: 'length', message: { content: 'ho' } },
      ],
      usage: { prompt_tokens: 2, completion_tokens: 5, total_tokens: 7 },
    });
  });

  it('streams every token, including the last one', async () => {
    const piece = (text: string, more = {}) =>
      `data: ${JSON.stringify({ token: { text, special: false }, ...more })}\n\n`;
    const end = { details: { ...details, finish_reason: 'length' } };
    answer = [200, piece('he'), piece('llo', end)];
    const { text: streamed } = await chat('tgi', { stream: true });
    const chunks = [...streamed.matchAll(/^data:(\{.*)$/gm)].map(([, json]) =>
      JSON.parse(json ?? ''),
    );
    expect(chunks.map(({ choices: [choice] }) => [choice.delta, choice.finish_reason])).toEqual([
      [{ role: 'assistant', content: 'he' }, null],
      [{ role: 'assistant', content: 'llo' }, null],
      [{ role: 'assistant' }, 'length'],
    ]);
    expect(streamed.endsWith('data: [DONE]\n\n')).toBe(true);
    expect(asked.url).toBe('/generate_stream');
    answer = [200, piece('a'), piece('</s>', { details })];
    expect((await chat('tgi', { stream: true })).text).not.toContain('</s>');
    answer = [200, 'data: {"error":"too long","error_type":"validation"}\n\n'];
    const refused = await chat('tgi', { stream: true });
    expect([refused.status, refused.body]).toMatchObject([
      ...[400, { detail: 'too long', error: { message: 'too long' } }],
    ]);
  });

  it('without a template in its configuration gets it from its repository', async () => {
    const served = { format: 'tgi', name: 'org/looked-up' };
    const secret = { name: 'hub', value: 'hf' };
    await server.call('/api/project/main/secrets/create_or_update', secret);
    const env = { HF_TOKEN: '$' + '{{ secrets.hub }}' };
    const run = await submitService(server, 'looked', { model: served, env });
    expect(run).toMatchObject({
      service: {
        model: { name: 'org/looked-up', base_url: '/proxy/models/main/' },
        options: { openai: { model: { eos_token: '</s>' } } },
      },
    });
    await expect(submitService(server, 'failed', { model: served })).rejects.toThrow('no token');
  });
});
