import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ProxiedServices } from '../../testing/proxied-services.ts';

const USAGE = { prompt_tokens: 5, completion_tokens: 7, total_tokens: 12 };

let proxied: ProxiedServices;
let model: Server;
let answer: (request: IncomingMessage, response: ServerResponse) => void;
beforeEach(async () => {
  proxied = await ProxiedServices.start();
  model = createServer((request, response) => answer(request, response));
  model.listen(0, '127.0.0.1');
  await once(model, 'listening');
  const { port } = model.address() as AddressInfo;
  const more = { model: { name: 'parrot', type: 'chat', format: 'openai' } };
  await proxied.service('llm', more, [port]);
});
afterEach(async () => {
  await proxied.close();
  model.closeAllConnections();
  model.close();
});

const json = (response: ServerResponse, body: object = { usage: USAGE }, status = 200) => {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
};
const ask = async (path: string, init: RequestInit = {}) =>
  await proxied.get(path, {
    ...{ method: 'POST', body: '{"model":"parrot","messages":[]}' },
    ...init,
  });

async function used() {
  const { body } = await proxied.server.call('/api/project/main/models/usage', undefined, {
    method: 'GET',
  });
  return body.usage.map((row: Readonly<Record<string, unknown>>) => [
    ...[row.model, row.user, row.requests, row.aborted, row.estimated],
    ...[row.prompt_tokens, row.completion_tokens],
  ]);
}

it('a request to the address that clients are shown counts as one to the address of all models', async () => {
  answer = (_request, response) => json(response);
  const { body } = await proxied.server.call('/api/project/main/runs/get', { run_name: 'llm' });
  const shown = `${body.service.model.base_url}/chat/completions`;
  expect(shown).toBe('/proxy/services/main/llm/v1/chat/completions');
  for (const address of [shown, '/proxy/models/main/chat/completions']) {
    const answered = await fetch(`${proxied.url}${address}`, {
      ...{ method: 'POST', body: '{"model":"parrot","messages":[]}' },
      headers: { authorization: `Bearer ${proxied.server.token}` },
    });
    expect(await answered.json()).toEqual({ usage: USAGE });
  }
  expect(await used()).toEqual([['parrot', 'admin', 2, 0, 0, 10, 14]]);
});

it('a stream counts before the client has its end, by its events if the model reports no usage', async () => {
  const counted: unknown[] = [];
  answer = (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write('data: {"choices":[{"delta":{"content":"a"}}]}\n\n');
    response.write('data: {"choices":[{"delta":{"content":"b"}}]}\n\n');
    response.end('data: [DONE]\n\n');
  };
  const stream = await ask('llm/v1/chat/completions');
  let seen = '';
  for await (const piece of stream.body as unknown as AsyncIterable<Uint8Array>) {
    seen += Buffer.from(piece).toString();
    if (seen.includes('[DONE]')) counted.push(...(await used()));
  }
  expect(seen.match(/data: /g)).toHaveLength(3);
  expect(counted[0]).toEqual(['parrot', 'admin', 1, 0, 1, 0, 2]);
  expect(await used()).toHaveLength(1);
});

it('a large answer arrives whole, in its order, and counts', async () => {
  const content = 'x'.repeat(3_000_000);
  answer = (_request, response) => json(response, { content, usage: USAGE });
  const got = await ask('llm/v1/chat/completions');
  expect(await got.text()).toBe(JSON.stringify({ content, usage: USAGE }));
  expect(await used()).toEqual([['parrot', 'admin', 1, 0, 0, 5, 7]]);
});

it('what the client does not wait for counts as aborted', async () => {
  const begun = Promise.withResolvers<ServerResponse>();
  answer = (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write('data: {"choices":[{"delta":{"content":"a"}}]}\n\n');
    begun.resolve(response);
  };
  const aborting = new AbortController();
  const stream = await ask('llm/v1/chat/completions', { signal: aborting.signal });
  await begun.promise;
  await stream.body?.getReader().read();
  aborting.abort();
  await expect.poll(used).toEqual([['parrot', 'admin', 1, 1, 1, 0, 1]]);
});

it('other requests to the service, and refused ones, do not count', async () => {
  answer = (request, response) => {
    void text(request).then(() => json(response, {}, request.url?.includes('bad') ? 400 : 200));
  };
  await ask('llm/health');
  await ask('llm/v1/files');
  await ask('llm/v2/chat/completions');
  await proxied.get('llm/v1/models');
  answer = (_request, response) => json(response, { error: 'no' }, 400);
  expect((await ask('llm/v1/chat/completions')).status).toBe(400);
  expect(await used()).toEqual([]);
});

it('requests without a caller do not count', async () => {
  const { port } = model.address() as AddressInfo;
  const own = { model: { name: 'free', type: 'chat', format: 'openai' }, auth: false };
  await proxied.service('open', own, [port]);
  answer = (_request, response) => json(response);
  const answered = await fetch(`${proxied.url}/proxy/services/main/open/v1/chat/completions`, {
    ...{ method: 'POST', body: '{"model":"free"}' },
  });
  expect(await answered.json()).toEqual({ usage: USAGE });
  expect(await used()).toEqual([]);
});
