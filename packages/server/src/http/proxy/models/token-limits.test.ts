import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { insertInstances, openHere, serveAt, submitService } from '../../testing/services.ts';
import { startTestServer, type TestServer } from '../../testing/test-server.ts';

let server: TestServer;
let model: Server;
let asked = 0;

beforeAll(async () => {
  server = await startTestServer({}, {}, openHere);
  model = createServer((request, response) => {
    asked += 1;
    request.resume();
    response.setHeader('content-type', 'application/json');
    response.end('{"usage":{"prompt_tokens":30,"completion_tokens":20}}');
  });
  model.listen(0, '127.0.0.1');
  await once(model, 'listening');
  const instances = await insertInstances(server, 1);
  const { id } = await submitService(server, 'bird', { model: 'parrot', probes: [] });
  await serveAt(server, id, [(model.address() as AddressInfo).port], instances);
});
afterAll(async () => {
  await server.close();
  model.closeAllConnections();
  model.close();
});

const base = '/api/project/main/service_tokens';

async function token(name: string, limits: object): Promise<string> {
  const created = await server.call(`${base}/create`, { name, scope: 'models', ...limits });
  expect(created.status).toBe(200);
  return created.body.token;
}

const ask = (token: string, name = 'parrot', path = '/proxy/models/main/chat/completions') =>
  server.call(path, { model: name, messages: [{ role: 'user', content: 'hi' }] }, { token });

async function used(name: string) {
  const { body } = await server.call(`${base}/list`);
  return body.find((one: { name: string }) => one.name === name);
}

describe('a token for models', () => {
  it('can do nothing else', async () => {
    const own = await token('only', {});
    expect((await ask(own)).status).toBe(200);
    for (const path of ['/api/project/main/runs/get', '/api/project/main/fleets/list']) {
      const answer = await server.call(path, { run_name: 'bird' }, { token: own });
      expect([answer.status, answer.text]).toEqual([403, expect.stringContaining('scope models')]);
    }
    // The app itself would count nothing.
    expect((await ask(own, 'parrot', '/proxy/services/main/bird/v1/chat')).status).toBe(403);
  });

  it('can use only the models that it names', async () => {
    const own = await token('named', { models: ['owl', 'parrot'] });
    expect((await ask(own)).status).toBe(200);
    const other = await ask(await token('other', { models: ['owl'] }));
    expect([other.status, other.body.error]).toEqual([
      403,
      expect.objectContaining({ code: 'model_not_allowed', type: 'permission_error' }),
    ]);
  });

  it('sends exactly as many requests per minute as it may', async () => {
    const own = await token('rate', { requests_per_minute: 3 });
    const before = asked;
    const answers = [];
    for (let n = 0; n < 6; n++) answers.push(await ask(own));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 429, 429, 429]);
    expect(asked - before).toBe(3);
    const last = answers.at(-1);
    expect(last?.body.error).toMatchObject({
      ...{ type: 'rate_limit_error', code: 'rate_limit_exceeded' },
      message: 'Too many requests: the token rate allows 3 per minute',
    });
    expect(Number(last?.headers['retry-after'])).toBeGreaterThan(0);
    expect(Number(last?.headers['retry-after'])).toBeLessThanOrEqual(20);
  });

  it('is refused from the moment at which its budget is used, until the next day or month', async () => {
    const own = await token('budget', { tokens_per_day: 100, tokens_per_month: 125 });
    for (let n = 0; n < 2; n++) expect((await ask(own)).status).toBe(200);
    const over = await ask(own);
    expect([over.status, over.body.error]).toEqual([
      429,
      {
        ...{ type: 'rate_limit_error', param: null, code: 'insufficient_quota' },
        message: 'The token budget has used its 100 tokens of this day (100, in UTC)',
      },
    ]);
    const wait = Number(over.headers['retry-after']);
    expect(wait).toBeLessThanOrEqual(86_400);
    expect(await used('budget')).toMatchObject({
      used: { day: 100, month: 100 },
      limits: { requests_per_minute: null, tokens_per_day: 100, tokens_per_month: 125 },
    });
    server.advance(wait);
    expect((await ask(own)).status).toBe(200);
    const month = await ask(own);
    expect([month.status, month.body.error.message]).toEqual([
      429,
      expect.stringContaining('its 125 tokens of this month (150'),
    ]);
    server.advance(Number(month.headers['retry-after']));
    expect((await ask(own)).status).toBe(200);
    expect((await used('budget')).used).toEqual({ day: 50, month: 50 });
  });

  it('has limits only if it can do nothing else', async () => {
    for (const limits of [{ models: ['parrot'] }, { tokens_per_day: 5 }]) {
      const refused = await server.call(`${base}/create`, { name: 'x', scope: 'user', ...limits });
      expect([refused.status, refused.text]).toEqual([
        400,
        expect.stringContaining('need the scope'),
      ]);
    }
    const zero = { name: 'x', scope: 'models', tokens_per_day: 0 };
    expect((await server.call(`${base}/create`, zero)).status).toBe(422);
  });
});
