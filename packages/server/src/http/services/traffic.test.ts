import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ServiceTraffic } from '@dstack/contract/wire';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ProxiedServices } from '../testing/proxied-services.ts';

let proxy: ProxiedServices;
const apps: Server[] = [];
const tokens: Record<string, string> = {};

async function start(answer: RequestListener): Promise<number> {
  const app = createServer(answer);
  apps.push(app);
  app.listen(0, '127.0.0.1');
  await once(app, 'listening');
  return (app.address() as AddressInfo).port;
}

async function traffic(name: string): Promise<ServiceTraffic> {
  const answer = await proxy.server.call(`/api/project/main/services/${name}/traffic`, undefined, {
    method: 'GET',
  });
  expect([answer.status, answer.body.detail]).toEqual([200, undefined]);
  return answer.body;
}

beforeAll(async () => {
  proxy = await ProxiedServices.start();
  const { call } = proxy.server;
  const roles = { ann: 'user', bob: 'manager', cyn: 'admin' };
  for (const username of [...Object.keys(roles), 'eve']) {
    await call('/api/users/create', { username, global_role: 'user' });
    const user = await call('/api/users/get_user', { username });
    tokens[username] = user.body.creds.token;
  }
  const members = Object.entries(roles).map(([username, project_role]) => ({
    ...{ username, project_role },
  }));
  await call('/api/projects/main/add_members', { members });
  for (const scope of ['read', 'models']) {
    const path = '/api/project/main/service_tokens/create';
    tokens[scope] = (await call(path, { name: scope, scope, expires_in: 60 })).body.token;
  }
});
afterAll(async () => {
  await proxy.close();
  for (const app of apps) {
    app.closeAllConnections();
    app.close();
  }
});

describe('the traffic of a service', () => {
  it('counts requests, errors and latencies, and what is in flight at which replica', async () => {
    let release = () => {};
    const port = await start((request, response) => {
      if (request.url === '/hang') release = () => response.end('done');
      else response.writeHead(request.url === '/bad' ? 503 : 200).end();
    });
    const { jobs } = await proxy.service('busy', { auth: false }, [port]);
    const hanging = proxy.get('busy/hang');
    for (const path of ['a', 'b', 'bad']) await proxy.get(`busy/${path}`);
    const seen = await traffic('busy');
    expect(seen).toMatchObject({
      ...{ run_name: 'busy', requests: 3, errors: 1, in_flight: 1, held: 0, partial: false },
      ...{ answered: { '2xx': 2, '5xx': 1 }, gateway: null, servers: 1, missing_servers: 0 },
      replicas_total: 1,
    });
    expect(seen.rps).toBeGreaterThan(0);
    expect(seen.p50_ms).toBeGreaterThan(0);
    expect(seen.replicas).toEqual([
      {
        ...{ replica_num: 0, job_id: jobs[0]?.id, group: '0', state: 'ready' },
        ...{ reason: null, until: null, in_flight: 1, requests: 3, errors: 1, weight: 1 },
        ...{ p50_ms: expect.any(Number), p95_ms: expect.any(Number), p99_ms: expect.any(Number) },
      },
    ]);
    release();
    await hanging;
  });

  it('is known from the first request on, also while it is a stream', async () => {
    const port = await start((_request, response) => void response.write('begun'));
    await proxy.service('stream', { auth: false }, [port]);
    const answer = await proxy.get('stream/x');
    expect(await traffic('stream')).toMatchObject({ requests: 0, errors: 0, in_flight: 1 });
    await answer.body?.cancel();
  });

  it('shows which replica is avoided, why, and until when', async () => {
    const well: RequestListener = (_request, response) => void response.end('ok');
    const broken = await start((_request, response) => void response.writeHead(500).end());
    const { jobs } = await proxy.service('uneven', { auth: false }, [broken, await start(well)]);
    for (let n = 0; n < 60; n++) await proxy.get('uneven/x');
    const list = '/api/project/main/services/traffic/list';
    const { body } = await proxy.server.call(list, { run_names: ['uneven'] });
    expect(body.services).toMatchObject([{ requests: 60, ready: 1 }]);
    const { replicas } = await traffic('uneven');
    expect(replicas.map(({ state }) => state)).toEqual(['avoided', 'ready']);
    expect(replicas[0]).toMatchObject({
      ...{ job_id: jobs[0]?.id, reason: expect.stringMatching(/requests in a row with errors/) },
    });
    expect(Date.parse(replicas[0]?.until ?? '')).toBeGreaterThan(0);
  });

  it('of a model has tokens per second, and the time to the first part of its answers', async () => {
    const port = await start((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('data: {"choices":[{"delta":{"content":"a"}}]}\n\n');
      const usage = '{"choices":[],"usage":{"prompt_tokens":11,"completion_tokens":110}}';
      response.end(`data: ${usage}\n\ndata: [DONE]\n\n`);
    });
    const model = { name: 'llama', format: 'openai', prefix: '/v1' };
    await proxy.service('llama', { model }, [port]);
    expect((await traffic('llama')).model).toBeNull();
    const body = JSON.stringify({ model: 'llama', messages: [], stream: true });
    const headers = { 'content-type': 'application/json' };
    const direct = await proxy.get('llama/v1/chat/completions', { method: 'POST', body, headers });
    await direct.text();
    const { model: seen, window_seconds } = await traffic('llama');
    expect(seen?.answers).toBe(1);
    expect(seen?.completion_tokens_per_second).toBeCloseTo(110 / window_seconds);
    expect(seen?.prompt_tokens_per_second).toBeCloseTo(11 / window_seconds);
    expect(seen?.first_token_p50_ms).toBeGreaterThan(0);
    const url = `${proxy.url}/proxy/models/main/chat/completions`;
    const authorization = `Bearer ${proxy.server.token}`;
    const shared = await fetch(url, {
      method: 'POST',
      body,
      headers: { ...headers, authorization },
    });
    await shared.text();
    expect((await traffic('llama')).model?.answers).toBe(2);
  });

  it('of several services comes in one answer, without those that do not exist', async () => {
    await proxy.get('web/x');
    const path = '/api/project/main/services/traffic/list';
    const answer = await proxy.server.call(path, { run_names: ['web', 'web', 'nothing'] });
    expect(answer.body.services).toHaveLength(1);
    expect(answer.body.services[0]).toMatchObject({
      ...{ run_name: 'web', requests: 1, errors: 0, in_flight: 0, partial: false },
    });
    const many = Array.from({ length: 101 }, (_, n) => `run-${n}`);
    expect((await proxy.server.call(path, { run_names: many })).status).toBe(422);
  });

  it('of a service that does not exist is refused by its name', async () => {
    const answer = await proxy.server.call(
      '/api/project/main/services/nothing/traffic',
      undefined,
      { method: 'GET' },
    );
    expect([answer.status, answer.body.detail[0].msg]).toEqual([400, 'Service nothing not found']);
  });

  it.each([
    ['ann', 200],
    ['bob', 200],
    ['cyn', 200],
    ['read', 200],
    ['models', 403],
    ['eve', 403],
    ['nobody', 401],
  ])('is shown to members of the project and their programs: to %s %i', async (who, status) => {
    const token = tokens[who] ?? null;
    const one = await proxy.server.call('/api/project/main/services/web/traffic', undefined, {
      ...{ method: 'GET', token },
    });
    const list = await proxy.server.call(
      '/api/project/main/services/traffic/list',
      { run_names: ['web'] },
      { token },
    );
    expect([one.status, list.status]).toEqual([status, status]);
  });
});
