import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import type { GatewayModelUse, GatewayService } from '@dstack/contract/agent';
import {
  type AdmissionAsk,
  type AskedServer,
  type GrantedCaller,
  Intake,
  type KeptFiles,
  KeptUses,
  type ModelToken,
  NO_MARKS,
  ProxyRefusal,
  PushedTable,
  RateBuckets,
  ServiceProxy,
  TemplateRenderer,
  WorkerAdmission,
} from '@dstack/proxy';
import { type ModelWorld, modelConformance, TGI_TEMPLATE } from '@dstack/proxy/testing';
import { pino } from 'pino';
import { afterEach, expect, it } from 'vitest';
import { pushedRoutes } from '../pushed-route.ts';
import { gatewayUse } from './gateway-state.ts';
import { ModelFront } from './model-front.ts';
import { templateProgram } from './template-program.ts';

const HOST = 'gateway.apps.test';
/** Microseconds; the clock stands still, so that a wait for a replica would have no end. */
const NOW = 1_700_000_000_000_000;

const opened: Server[] = [];
const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
  for (const one of opened.splice(0)) {
    one.closeAllConnections();
    one.close();
  }
});

async function listening(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** An app that answers with its name. */
const app = (name: string) => {
  const server = createServer(async (request, response) => {
    const body = (await json(request)) as object;
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ name, ...body }));
  });
  opened.push(server);
  return listening(server);
};

/** `port`: null = no replica; 0 = a replica that cannot be reached and has just started. */
const OPENAI = { format: 'openai', name: 'parrot', prefix: '/v1' };

const service = (run: string, port: number | null, model: object = OPENAI): GatewayService => ({
  ...{ run_id: `id-${run}`, project: 'main', run, host: `${run}.apps.test`, https: true },
  ...{ custom_hosts: null, custom_paths: null, submitted_at: NOW, running: true },
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
    model,
  }),
});

const TOKEN: ModelToken = {
  ...{ id: '', name: 't', models: null, requestsPerMinute: null, hasBudget: false, usedUp: null },
};

/** The server, as far as a gateway asks it: who its callers are, and what they have used. */
class KnownServer implements AskedServer {
  readonly isAway = false;
  readonly #dir: string;
  /** Tokens of models by the id of a service token; empty = of people. */
  readonly #used = new Map<string, number>();
  requests = 0;

  constructor(dir: string) {
    this.#dir = dir;
  }

  async ask<T>(_type: string, asked: unknown): Promise<T> {
    const { authorization, project } = asked as AdmissionAsk;
    const id = authorization?.replace('Bearer ', '') ?? '';
    if (id === 'stranger') throw new ProxyRefusal(403, `no access to project ${project}`);
    const caller = { name: id, userId: id, projectId: project, projectName: project };
    const isOver = (this.#used.get(id) ?? 0) >= 40;
    const tokens: Readonly<Record<string, Partial<ModelToken>>> = {
      other: { models: ['owl'] },
      paced: { requestsPerMinute: 2 },
      bounded: { hasBudget: true, usedUp: isOver ? { text: 'used up', retryAfter: 60 } : null },
    };
    const token = tokens[id] === undefined ? null : { ...TOKEN, id, ...tokens[id] };
    return {
      ...caller,
      expiresAt: null,
      token,
      services: id === 'limited' ? ['one'] : null,
    } satisfies GrantedCaller as T;
  }

  notify(): boolean {
    return true;
  }

  onPresent(): void {}

  /** Stores what the gateway has kept. */
  collect(): void {
    for (const name of readdirSync(this.#dir)) {
      if (!name.endsWith('.json')) continue;
      const path = join(this.#dir, name);
      const use = JSON.parse(readFileSync(path, 'utf8')) as GatewayModelUse;
      const key = use.token ?? '';
      const tokens = use.prompt_tokens + use.completion_tokens;
      this.#used.set(key, (this.#used.get(key) ?? 0) + tokens);
      this.requests += use.requests;
      rmSync(path);
    }
  }

  get tokens(): number {
    return [...this.#used.values()].reduce((a, b) => a + b, 0);
  }
}

interface OpenGateway {
  readonly url: string;
  readonly server: KnownServer;
  readonly close: () => Promise<void>;
}

/** A gateway with these services, the newest last. */
async function open(all: readonly GatewayService[]): Promise<OpenGateway> {
  const dir = mkdtempSync(join(tmpdir(), 'dstack-models-'));
  const known = new KnownServer(dir);
  const services = new PushedTable();
  services.replace(pushedRoutes(all));
  const log = pino({ level: 'silent' });
  const now = () => NOW;
  const admission = new WorkerAdmission({
    ...{ link: known, addressOf: () => '::1', maxAgeMs: () => 0, now: () => NOW / 1000 },
  });
  const proxy = new ServiceProxy({
    services: {
      byName: async (project, run) => services.ofName(project, run)?.route ?? null,
      addRequests: async () => {},
      setLoad: async () => {},
      takeRate: async () => 0,
    },
    takeRate: new RateBuckets(() => NOW / 1000).take,
    readOutage: async (_project, run) => {
      throw new ProxyRefusal(503, `${run} has no ready replica`, { retryAfter: 5 });
    },
    open: async ({ port }) => {
      if (port === 0) throw new Error('no link to host');
      const socket = connect(port, '127.0.0.1');
      await once(socket, 'connect');
      return socket;
    },
    admit: admission.admit,
    ownTokens: { among: async () => new Set(), inPlaces: async () => new Set(), marks: NO_MARKS },
    ...{ trust: () => false, timeoutMs: 10_000, maxBody: 0, maxHeld: 10, shared: true },
    ...{ now, log },
  });
  const chatTemplates = new TemplateRenderer({ program: templateProgram(), timeoutMs: 15_000 });
  // As the main process does.
  const ask = async <T>(_type: string, kept: unknown): Promise<T> => {
    known.collect();
    admission.tokensUsed(new Set((kept as KeptFiles).tokens));
    return null as T;
  };
  const link = { isAlone: false, ask };
  const modelUsage = new KeptUses({ link, dir, form: gatewayUse, log });
  const models = new ModelFront({
    ...{ services: proxy, models: services, modelUsage, admission, chatTemplates, now, log },
    intake: new Intake({ memory: 2 ** 26, pace: { graceMs: 10_000, bytesPerSecond: 1000 } }),
    modelBodies: { dir, limit: 2 ** 20 },
  });
  models.setHosts({ [HOST]: 'main' });
  const server = createServer((request, response) => {
    models.answer(HOST, request, response).catch(() => response.destroy());
  });
  const url = `http://127.0.0.1:${await listening(server)}`;
  const close = async () => {
    server.closeAllConnections();
    server.close();
    await chatTemplates.close();
    await proxy.close();
    rmSync(dir, { recursive: true });
  };
  return { url, server: known, close };
}

modelConformance('a gateway', async (port) => {
  const tgi = { format: 'tgi', name: 'tgi', chat_template: TGI_TEMPLATE, eos_token: '</s>' };
  const { url, server, close } = await open([service('one', port), service('two', port, tgi)]);
  const callers = { member: 'ann', stranger: 'stranger', other: 'other', paced: 'paced' };
  return {
    url,
    callers: {
      ...Object.fromEntries(Object.entries(callers).map(([who, id]) => [who, `Bearer ${id}`])),
      bounded: 'Bearer bounded',
    } as ModelWorld['callers'],
    async used() {
      server.collect();
      return { requests: server.requests, tokens: server.tokens };
    },
    close,
  };
});

async function gateway(all: readonly GatewayService[]): Promise<string> {
  const { url, close } = await open(all);
  closing.push(close);
  return `${url}/v1/chat/completions`;
}

const ask = (url: string) =>
  fetch(url, {
    method: 'POST',
    headers: { authorization: 'Bearer ann' },
    body: JSON.stringify({ model: 'parrot', seed: 7 }),
  });

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
  expect(await answer.json()).toMatchObject({ error: { message: 'new has no ready replica' } });
});

it('refuses tokens for single services, which an earlier server admits here', async () => {
  const { url, close } = await open([service('old', await app('old'))]);
  closing.push(close);
  const headers = { authorization: 'Bearer limited' };
  const answer = await fetch(`${url}/v1/models`, { headers });
  expect([answer.status, await answer.json()]).toMatchObject([
    403,
    { error: { message: expect.stringContaining('services, not for models') } },
  ]);
});
