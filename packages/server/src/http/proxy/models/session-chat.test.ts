import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { insertInstances, openHere, serveAt, submitService } from '../../testing/services.ts';
import { startTestServer, type TestServer } from '../../testing/test-server.ts';

const SELF = 'http://localhost';
const PATH = '/api/project/main/models/chat/completions';
const body = { model: 'parrot', stream: true, messages: [{ role: 'user', content: 'hi' }] };

let server: TestServer;
let model: Server;
let received: IncomingHttpHeaders = {};
let page: Record<string, string>;

beforeAll(async () => {
  server = await startTestServer({}, {}, openHere);
  model = createServer((request, response) => {
    received = request.headers;
    request.resume();
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.end('data: {"choices":[{"delta":{"content":"hello"}}]}\n\ndata: [DONE]\n\n');
  });
  model.listen(0, '127.0.0.1');
  await once(model, 'listening');
  const instances = await insertInstances(server, 1);
  const { id } = await submitService(server, 'bird', { model: 'parrot', probes: [] });
  await serveAt(server, id, [(model.address() as AddressInfo).port], instances);
  page = await sessionOf(server.token);
});
afterAll(async () => {
  await server.close();
  model.closeAllConnections();
  model.close();
});

async function sessionOf(token: string): Promise<Record<string, string>> {
  const opened = await server.call('/api/session', {}, { token, headers: { origin: SELF } });
  const cookie = String(opened.headers['set-cookie']).split(';')[0] ?? '';
  return { cookie, origin: SELF, 'x-dstack-session': opened.body.key };
}

const chat = (headers: Record<string, string>, path = PATH) =>
  server.call(path, body, { token: null, headers });

describe('a chat from a page of this server', () => {
  it('is streamed, and the model receives nothing of the session', async () => {
    const answer = await chat(page);
    expect([answer.status, answer.text]).toEqual([200, expect.stringContaining('hello')]);
    expect(answer.headers).not.toHaveProperty('access-control-allow-origin');
    expect(received).toMatchObject({ 'x-dstack-user': 'admin' });
    for (const name of ['cookie', 'authorization', 'x-dstack-session']) {
      expect(received).not.toHaveProperty(name);
    }
  });

  it.each([
    ['of another origin', { origin: 'http://evil.test' }, 403],
    ['without the key of the session', { 'x-dstack-session': '' }, 403],
  ])('is refused to a page %s', async (_name, change, status) => {
    expect((await chat({ ...page, ...change })).status).toBe(status);
  });

  it('is refused to users who are not members', async () => {
    await server.call('/api/users/create', { username: 'eve', global_role: 'user' });
    const eve = await server.call('/api/users/get_user', { username: 'eve' });
    expect((await chat(await sessionOf(eve.body.creds.token))).status).toBe(403);
  });

  it('is not possible below the paths of services, where sessions do not count', async () => {
    const answer = await chat(page, '/proxy/models/main/chat/completions');
    expect(answer.status).toBe(403);
  });
});
