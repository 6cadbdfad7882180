import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { closedPort } from '../../testing/proxied-services.ts';
import { insertInstances, openHere, serveAt, submitService } from '../../testing/services.ts';
import { startTestServer, type TestServer } from '../../testing/test-server.ts';

let server: TestServer;
let url: string;
const apps: Server[] = [];
let instances: string[];
let seen: { url: string; type: string; body: Buffer }[] = [];
let reply: (response: ServerResponse, request: IncomingMessage) => void;
/** Connections that ports have refused. */
let refused = 0;

beforeAll(async () => {
  server = await startTestServer({}, {}, (to) =>
    openHere(to).catch((error) => {
      refused += 1;
      throw error;
    }),
  );
  await server.app.listen({ host: '127.0.0.1', port: 0 });
  url = `http://127.0.0.1:${(server.app.server.address() as AddressInfo).port}/proxy/models/main`;
  instances = await insertInstances(server, 3);
  await serve('one', 'parrot', [await app()]);
});
afterAll(async () => {
  await server.close();
  for (const one of apps) one.closeAllConnections();
  for (const one of apps) one.close();
});

/** Returns the port of an app that keeps what it has received. */
async function app(): Promise<number> {
  const one = createServer(async (request, response) => {
    const body = await buffer(request).catch(() => Buffer.alloc(0));
    seen.push({ url: request.url ?? '', type: request.headers['content-type'] ?? '', body });
    reply(response, request);
  });
  apps.push(one.listen(0, '127.0.0.1'));
  await once(one, 'listening');
  return (one.address() as AddressInfo).port;
}

/** `started`: the replicas have just started. */
async function serve(
  name: string,
  model: string,
  ports: number[],
  {
    started = false,
    ...more
  }: { readonly started?: boolean; readonly [key: string]: unknown } = {},
) {
  const settings = { model, probes: [], replicas: ports.length, ...more };
  const { id } = await submitService(server, name, settings);
  const runningAt = started ? server.deps.context().now : 0;
  await serveAt(server, id, ports, instances, runningAt);
}

const json = (body: unknown) => (response: ServerResponse) => {
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify(body));
};

function send(path: string, body: unknown, init: RequestInit = {}): Promise<Response> {
  seen = [];
  const text = typeof body === 'string' || body instanceof FormData ? body : JSON.stringify(body);
  return fetch(`${url}/${path}`, {
    ...{ method: 'POST', body: text, ...init },
    headers: { authorization: `Bearer ${server.token}`, ...init.headers },
  });
}

async function usage(model: string) {
  const rows = await server.store.modelUsage.list(await projectId(), 0, 1e6);
  const {
    day: _,
    userName,
    ...counts
  } = rows.find((row) => row.model === model) ?? {
    ...{ day: 0, userName: null, model },
  };
  return { userName, ...counts };
}
const projectId = async () => (await server.store.projects.byName('main'))?.id ?? '';

describe('the endpoint of models', () => {
  it.each([
    ...[
      'chat/completions',
      'completions',
      'embeddings',
      'responses',
      'rerank',
      'images/generations',
    ],
    ...['audio/speech', 'v1/chat/completions'],
  ])('passes %s unchanged', async (path) => {
    reply = json({ a: 1 });
    const text = '{ "input": ["x", 1e3], "model" : "parrot"}';
    const answer = await send(path, text);
    expect([answer.status, await answer.text()]).toEqual([200, '{"a":1}']);
    expect(seen.map(({ url, body }) => [url, body.toString()])).toEqual([
      [`/v1/${path.replace('v1/', '')}`, text],
    ]);
    expect(answer.headers.get('x-request-id')).toBeTruthy();
  });

  it('passes forms with files, whose field names the model', async () => {
    reply = json({ text: 'hello' });
    const form = new FormData();
    form.set('file', new Blob([Buffer.alloc(700_000, 7)]), 'speech.wav');
    form.set('model', 'parrot');
    const answer = await send('audio/transcriptions', form);
    expect(await answer.json()).toEqual({ text: 'hello' });
    expect(seen[0]?.type).toMatch(/^multipart\/form-data; boundary=/);
    expect(seen[0]?.body.length).toBeGreaterThan(700_000);
    form.delete('model');
    expect((await send('audio/transcriptions', form)).status).toBe(422);
  });

  // Its limit is for hangs only: so large a body takes seconds on a busy computer.
  it('passes bodies of 64 MiB whose last field names the model', { timeout: 120_000 }, async () => {
    reply = json({});
    const head = Buffer.from('{"messages":"');
    const tail = Buffer.from('","model":"parrot"}');
    const body = Buffer.concat([head, Buffer.alloc(64 * 1024 * 1024, 'x'), tail]);
    seen = [];
    const answer = await fetch(`${url}/chat/completions`, {
      ...{ method: 'POST', body, headers: { authorization: `Bearer ${server.token}` } },
    });
    expect(answer.status).toBe(200);
    expect(seen[0]?.body.equals(body)).toBe(true);
  });

  it('passes other media, and never pages', async () => {
    for (const [type, expected] of [
      ['audio/mpeg', 'audio/mpeg'],
      ['text/html', 'application/octet-stream'],
      ['image/svg+xml', 'application/octet-stream'],
    ]) {
      reply = (response) => response.setHeader('content-type', type ?? '').end('x');
      const answer = await send('audio/speech', { model: 'parrot' });
      expect(answer.headers.get('content-type')).toBe(expected);
    }
  });

  it('refuses other paths, and answers browsers of other origins', async () => {
    expect((await send('files', { model: 'parrot' })).status).toBe(405);
    const messages = await send('v1/messages', { model: 'parrot' });
    expect(messages.status).toBe(404);
    expect(await messages.json()).toMatchObject({
      type: 'error',
      error: { type: 'not_found_error', message: expect.stringContaining('/v1/chat/completions') },
    });
    expect((await send('chat/completions/x', { model: 'parrot' })).status).toBe(405);
    const asked = await send('chat/completions', null as never, { method: 'OPTIONS', body: null });
    expect([asked.status, asked.headers.get('access-control-allow-origin')]).toEqual([204, '*']);
    const refused = await send('embeddings', { model: 'nosuch' });
    expect([refused.status, refused.headers.get('access-control-allow-origin')]).toEqual([
      404,
      '*',
    ]);
  });

  it('uses all services with a model, also if one accepts no connection', async () => {
    await serve('twin-one', 'twin', [await app()]);
    await serve('twin-two', 'twin', [await app()]);
    reply = (response) => setTimeout(() => response.end('{}'), 20);
    const answered = new Set<number | undefined>();
    reply = (response, request) => {
      answered.add(request.socket.localPort);
      setTimeout(() => response.end('{}'), 20);
    };
    const all = [1, 2, 3, 4].map(() => send('embeddings', { model: 'twin' }));
    expect((await Promise.all(all)).map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    expect(answered.size).toBe(2);
    await serve('twin-three', 'half', [await closedPort()]);
    await serve('twin-four', 'half', [await app()]);
    for (let i = 0; i < 4; i++) {
      expect((await send('embeddings', { model: 'half' })).status).toBe(200);
    }
  });

  it('waits for no replica that cannot be reached yet while another service may answer', async () => {
    reply = json({});
    refused = 0;
    await serve('slow', 'started', [await closedPort()], { started: true });
    await serve('quick', 'started', [await app()]);
    await serve('slower', 'started', [await closedPort()], { started: true });
    for (let i = 0; i < 4; i++) {
      expect((await send('embeddings', { model: 'started' })).status).toBe(200);
    }
    expect(refused).toBeLessThanOrEqual(2);
  });

  it('applies the rate limits of the service', async () => {
    const rate_limits = [{ prefix: '/v1/embeddings', rps: 1 / 60 }];
    await serve('limited', 'limited', [await app()], { rate_limits });
    reply = json({});
    const statuses: number[] = [];
    for (const path of ['embeddings', 'completions', 'embeddings']) {
      statuses.push((await send(path, { model: 'limited' })).status);
    }
    expect(statuses).toEqual([200, 200, 429]);
    const refused = await send('embeddings', { model: 'limited' });
    expect(await refused.json()).toMatchObject({ error: { type: 'rate_limit_error' } });
  });
});

describe('the usage of a model', () => {
  const event = (data: object) => `data: ${JSON.stringify(data)}\n\n`;
  const piece = event({ choices: [{ delta: { content: 'x' } }] });
  const counts = (promptTokens: number, completionTokens: number) => ({
    ...{ requests: 1, aborted: 0, estimated: 0, promptTokens, completionTokens },
  });

  it('is stored before the answer ends, per user and day', async () => {
    await serve('metered', 'metered', [await app()]);
    reply = json({ usage: { prompt_tokens: 5, completion_tokens: 7 } });
    await (await send('chat/completions', { model: 'metered' })).text();
    expect(await usage('metered')).toEqual({
      userName: 'admin',
      model: 'metered',
      ...counts(5, 7),
    });
    const path = '/api/project/main/models/usage';
    const { body } = await server.call(path, undefined, { method: 'GET' });
    expect(body.usage).toContainEqual({
      ...{ day: '2026-11-24', model: 'metered', user: 'admin', requests: 1, aborted: 0 },
      ...{ estimated: 0, prompt_tokens: 5, completion_tokens: 7 },
    });
  });

  it('is requested for streams, without the knowledge of the client', async () => {
    await serve('streamed', 'streamed', [await app()]);
    reply = (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write(piece);
      response.write(event({ choices: [], usage: { prompt_tokens: 2, completion_tokens: 1 } }));
      response.end('data: [DONE]\n\n');
    };
    const answer = await send('chat/completions', { model: 'streamed', stream: true });
    expect(await answer.text()).toBe(`${piece}data: [DONE]\n\n`);
    expect(JSON.parse(seen[0]?.body.toString() ?? '')).toEqual({
      ...{ model: 'streamed', stream: true, stream_options: { include_usage: true } },
    });
    expect(await usage('streamed')).toMatchObject(counts(2, 1));
    const asked = { model: 'streamed', stream: true, stream_options: { include_usage: true } };
    expect(await (await send('chat/completions', asked)).text()).toContain('"usage"');
  });

  it('is estimated if the model breaks off, and clients receive an error', async () => {
    await serve('broken', 'broken', [await app()]);
    reply = (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(piece, () => response.destroy());
    };
    const text = await (await send('chat/completions', { model: 'broken', stream: true })).text();
    const [first, , error, rest] = text.split('\n\n');
    expect([`${first}\n\n`, rest]).toEqual([piece, '']);
    expect(JSON.parse(error?.replace('data: ', '') ?? '')).toMatchObject({
      error: { message: expect.stringMatching(/^The answer is incomplete/), type: 'server_error' },
    });
    expect(await usage('broken')).toMatchObject({ aborted: 1, estimated: 1, completionTokens: 1 });
  });

  it('includes what follows after a text that looks like the end of a stream', async () => {
    await serve('quoting', 'quoting', [await app()]);
    let finish = () => {};
    reply = (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(event({ choices: [{ delta: { content: 'data: [DONE]' } }] }));
      finish = () => {
        response.write(event({ choices: [], usage: { prompt_tokens: 2, completion_tokens: 900 } }));
        response.end('data: [DONE]\n\n');
      };
    };
    const answer = await send('chat/completions', { model: 'quoting', stream: true });
    const reader = answer.body?.getReader();
    await reader?.read();
    finish();
    while (!(await reader?.read())?.done);
    expect(await usage('quoting')).toMatchObject(counts(2, 900));
  });

  it('is estimated if the client disconnects, and the model learns of it', async () => {
    await serve('aborted', 'aborted', [await app()]);
    const left = Promise.withResolvers<void>();
    reply = (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write(piece + piece);
      response.once('close', () => left.resolve());
    };
    const client = new AbortController();
    const { signal } = client;
    const answer = await send('completions', { model: 'aborted', stream: true }, { signal });
    await answer.body?.getReader().read();
    client.abort();
    await left.promise;
    while ((await usage('aborted')).userName === null)
      await new Promise((done) => setImmediate(done));
    expect(await usage('aborted')).toMatchObject({
      ...{ requests: 1, aborted: 1, estimated: 1, completionTokens: 2 },
    });
  });
});
