import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Change, RunRecord } from '@dstack/core';
import { modelRefusal } from '@dstack/proxy';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { insertInstances, openHere, serveAt, submitService } from '../../testing/services.ts';
import { startTestServer, type TestServer } from '../../testing/test-server.ts';

let server: TestServer;
let model: Server;
let seen: readonly string[] = [];
let reply: (response: ServerResponse) => void = (response) => response.end('{}');

beforeAll(async () => {
  server = await startTestServer({}, {}, openHere);
  model = createServer((request, response) => {
    seen = request.rawHeaders;
    request.resume().on('end', () => reply(response));
  });
  model.listen(0, '127.0.0.1');
  await once(model, 'listening');
  const { id } = await submitService(server, 'one', { model: 'parrot', probes: [] });
  const ports = [(model.address() as AddressInfo).port];
  await serveAt(server, id, ports, await insertInstances(server, 1));
});
afterAll(async () => {
  await server.close();
  model.closeAllConnections();
  model.close();
});

const messages = [{ role: 'user', content: 'hi' }];
const chat = (name: string, more: object = {}, token?: string) =>
  server.call(
    '/proxy/models/main/chat/completions',
    { model: name, messages, ...more },
    token === undefined ? {} : { token },
  );
const list = async () => {
  const answer = await server.call('/proxy/models/main/models', undefined, { method: 'GET' });
  return answer.body.data.map(({ id }: { id: string }) => id);
};

async function become(id: string, set: Partial<RunRecord>): Promise<void> {
  const version = (await server.store.runs.byId(id))?.run.version ?? 0;
  const change: Change = { type: 'run.update', id, version, set };
  expect(await server.store.engine.apply([change])).toBe('applied');
  server.services.changed(id);
}

describe('an error of a hostile model', () => {
  const nested = `{"message":"x","param":${'['.repeat(20_000)}${']'.repeat(20_000)}}`;

  it.each([
    ['has a message that is not a text', 400, '{"error":{"message":{"toString":1}}}', 400],
    ['is nested deeper than can be repeated', 400, `{"error":${nested}}`, 400],
    ['has fields of other types', 400, '{"error":{"message":"x","type":{},"code":[]}}', 400],
    ['has a status that HTTP does not have', 799, '{"error":{"message":"x"}}', 502],
  ])('that %s is answered in the usual form', async (_what, status, body, expected) => {
    reply = (response) => response.writeHead(status).end(body);
    const answer = await chat('parrot');
    expect([answer.status, typeof answer.body.error?.message]).toEqual([expected, 'string']);
    expect(answer.body.error).toEqual({
      ...{ message: expect.any(String), type: expect.any(String), param: null },
      code: null,
    });
  });
});

describe('a model that cannot answer', () => {
  it('is started by a request if it is scaled to zero, and is listed meanwhile', async () => {
    const scaling = { metric: 'rps', target: 1 };
    const more = { model: 'sleepy', probes: [], replicas: '0..1', scaling };
    const { id } = await submitService(server, 'asleep', more);
    expect(await list()).toEqual(['sleepy', 'parrot']);
    const signalled = Promise.withResolvers<void>();
    server.store.engine.onSignal((signal) => {
      if (signal.id === id) signalled.resolve();
    });
    const answer = chat('sleepy');
    await signalled.promise;
    await become(id, { status: 'terminated', terminationReason: 'stopped_by_user' });
    expect(await answer).toMatchObject({
      status: 503,
      headers: { 'retry-after': '60' },
      body: { error: { code: 'ended', type: 'server_error', param: null } },
    });
    expect(await list()).toEqual(['parrot']);
  });

  it('returns the reason, also after its run has ended', async () => {
    const { id } = await submitService(server, 'young', { model: 'young', probes: [] });
    const message = 'Service main/young is not available: starting: it waits for an instance';
    const error = { message, type: 'server_error', param: null, code: 'starting' };
    expect((await chat('young')).body).toEqual({ detail: message, error });
    expect(await list()).not.toContain('young');
    await become(id, { status: 'failed', terminationReason: 'server_error' });
    expect(await chat('young', { stream: true })).toMatchObject({
      ...{ status: 503, body: { error: { code: 'ended' } } },
    });
  });

  it('is an error of OpenAI’s form for unauthenticated callers too', async () => {
    expect(await chat('parrot', {}, 'wrong')).toMatchObject({
      status: 403,
      body: {
        detail: 'Unauthenticated or unauthorized to access project main',
        error: { type: 'permission_error', message: expect.stringContaining('unauthorized') },
      },
    });
  });

  it.each([{}, { stream: true }])('cut off its answer: %j', async (more) => {
    reply = (response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('half', () => response.destroy());
    };
    expect(await chat('parrot', more)).toMatchObject({
      ...{ status: 502, body: { error: { code: 'connection_broken', type: 'server_error' } } },
    });
  });

  it('sent too large an error', async () => {
    const left = Promise.withResolvers<void>();
    reply = (response) => {
      response.writeHead(500);
      response.on('close', () => left.resolve());
      const more = () => {
        while (response.writable && response.write(Buffer.alloc(1024 * 1024, '1')));
      };
      more();
      response.on('drain', more);
    };
    expect(await chat('parrot')).toMatchObject({
      ...{ status: 502, body: { error: { code: 'answer_too_large', type: 'server_error' } } },
    });
    await left.promise;
  });

  it('returns when to retry', async () => {
    reply = (response) =>
      response.writeHead(429, { 'retry-after': '7' }).end('{"error":{"message":"slow"}}');
    const { status, headers, body } = await chat('parrot');
    expect([status, headers['retry-after'], body.error.message]).toEqual([429, '7', 'slow']);
  });
});

describe('an answer of a model', () => {
  it.each([{}, { stream: true }])('must be JSON or events: %j', async (more) => {
    const isStream = 'stream' in more;
    reply = (response) => response.end(isStream ? 'data: "<script>"\n\n' : '"<script>"');
    const { headers } = await chat('parrot', more);
    expect(headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'content-security-policy': 'sandbox',
      'content-type': expect.stringMatching(/^(application\/json|text\/event-stream)/),
    });
  });

  it('is requested in the caller’s name, without the token', async () => {
    reply = (response) => response.end('{}');
    expect((await chat('parrot')).status).toBe(200);
    const at = seen.findIndex((name) => name.toLowerCase() === 'x-dstack-user');
    expect(seen[at + 1]).toBe('admin');
    expect(seen.join()).not.toContain(server.token);
  });
});

it.each([
  [
    '{"error":{"message":"too long","type":"invalid","param":"n","code":"x","extra":1}}',
    { message: 'too long', type: 'invalid', param: 'n', code: 'x', extra: 1 },
  ],
  ['{"object":"error","message":"no","code":404}', { message: 'no', code: 404, object: 'error' }],
  ['{"error":"too long","error_type":"validation"}', { message: 'too long' }],
  ['{"detail":"Not Found"}', { message: 'Not Found' }],
  ['{"detail":[{"msg":"x"}]}', { message: '{"detail":[{"msg":"x"}]}' }],
  ['{"error":null}', { message: '{"error":null}' }],
  ['[1]', { message: '[1]' }],
  ['slow down', { message: 'slow down' }],
  ['', { message: '' }],
])('with the error %j is read as %j', (body, error) => {
  expect(modelRefusal(400, body, undefined).error).toEqual(error);
});

it.each([
  ['7', 7],
  ['soon', null],
  ['-1', null],
  [undefined, null],
])('with Retry-After %j seconds keeps it: %j', (header, seconds) => {
  expect(modelRefusal(503, '', header).retryAfter).toBe(seconds);
});
