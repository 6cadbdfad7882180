import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { json } from 'node:stream/consumers';
import type { GatewayService } from '@dstack/contract/agent';
import { ProxyRefusal, ServiceProxy } from '@dstack/proxy';
import { pino } from 'pino';
import { afterEach, expect, it } from 'vitest';
import { ModelHost } from './model-host.ts';
import { HostedServices } from './services.ts';

const HOST = 'gateway.apps.test';
/** Microseconds; the clock stands still, so that a wait for a replica would have no end. */
const NOW = 1_700_000_000_000_000;

const opened: Server[] = [];
afterEach(() => {
  for (const one of opened.splice(0)) {
    one.closeAllConnections();
    one.close();
  }
});

async function listening(server: Server): Promise<number> {
  opened.push(server.listen(0, '127.0.0.1'));
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** An app that answers with its name. */
const app = (name: string) =>
  listening(
    createServer(async (request, response) => {
      const body = (await json(request)) as object;
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ name, ...body }));
    }),
  );

/** `port`: null = no replica; 0 = a replica that cannot be reached and has just started. */
const service = (run: string, port: number | null): GatewayService => ({
  ...{ run_id: `id-${run}`, project: 'main', run, host: `${run}.apps.test`, https: true },
  ...{ custom_hosts: null, custom_paths: null },
  replicas:
    port === null
      ? []
      : [
          {
            ...{ job_id: `job-${run}`, host_id: 'host', port, running_at: NOW, failing: false },
            tunnel: null,
          },
        ],
  configuration: JSON.stringify({
    ...{ type: 'service', auth: true, strip_prefix: true, rate_limits: [], replicas: null },
    model: { format: 'openai', name: 'parrot', prefix: '/v1' },
  }),
});

/** The address of a gateway with these services, the newest last. */
async function gateway(all: readonly GatewayService[]): Promise<string> {
  const services = new HostedServices();
  services.replace(all);
  const caller = { name: 'ann', services: null, release: () => {} };
  const proxy = new ServiceProxy({
    services: {
      byName: async (project, run) => services.ofName(project, run)?.route ?? null,
      addRequests: async () => {},
      setLoad: async () => {},
      takeRate: async () => 0,
    },
    readOutage: async (_project, run) => {
      throw new ProxyRefusal(503, `${run} has no ready replica`, { retryAfter: 5 });
    },
    open: async ({ port }) => {
      if (port === 0) throw new Error('no link to host');
      const socket = connect(port, '127.0.0.1');
      await once(socket, 'connect');
      return socket;
    },
    admit: async () => caller,
    ownTokens: { among: async () => new Set(), inPlaces: async () => new Set() },
    ...{ trust: () => false, timeoutMs: 10_000, maxBody: 0, maxHeld: 10, shared: true },
    now: () => NOW,
    log: pino({ level: 'silent' }),
  });
  const models = new ModelHost({
    services,
    proxy,
    admit: async () => caller,
    onUsed: async () => {},
  });
  models.setHosts({ [HOST]: 'main' });
  const server = createServer((request, response) => {
    models.answer(HOST, request, response).catch((error: ProxyRefusal) => {
      response.writeHead(error.status, { 'retry-after': String(error.retryAfter) });
      response.end(error.message);
    });
  });
  return `http://127.0.0.1:${await listening(server)}/v1/chat/completions`;
}

const ask = (url: string) =>
  fetch(url, { method: 'POST', body: JSON.stringify({ model: 'parrot', seed: 7 }) });

it('another service answers if the newest one with the model has no replica', async () => {
  const answer = await ask(await gateway([service('old', await app('old')), service('new', null)]));
  expect([answer.status, await answer.json()]).toEqual([
    200,
    { model: 'parrot', name: 'old', seed: 7 },
  ]);
});

it('another service answers with the whole body if the newest cannot be reached yet', async () => {
  const url = await gateway([service('old', await app('old')), service('new', 0)]);
  for (let n = 0; n < 3; n++) {
    const answer = await ask(url);
    expect([answer.status, await answer.json()]).toEqual([
      200,
      { model: 'parrot', name: 'old', seed: 7 },
    ]);
  }
});

it('services with one model share its requests', async () => {
  const url = await gateway([service('old', await app('old')), service('new', await app('new'))]);
  const answers = await Promise.all(Array.from({ length: 8 }, () => ask(url)));
  const bodies = (await Promise.all(answers.map((one) => one.json()))) as { name: string }[];
  expect([...new Set(bodies.map(({ name }) => name))].sort()).toEqual(['new', 'old']);
});

it('reports when to try again if none of them has a replica', async () => {
  const answer = await ask(await gateway([service('old', null), service('new', null)]));
  expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '5']);
  expect(await answer.text()).toBe('new has no ready replica');
});

it("refuses requests by Anthropic's API in its form, with the way to ask instead", async () => {
  const url = (await gateway([service('old', await app('old'))])).replace(/chat.*/, 'messages');
  const answer = await ask(url);
  expect([answer.status, await answer.json()]).toEqual([
    404,
    {
      type: 'error',
      error: { type: 'not_found_error', message: expect.stringContaining('/v1/chat/completions') },
    },
  ]);
});
