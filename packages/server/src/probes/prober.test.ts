import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { text } from 'node:stream/consumers';
import type { JobState } from '@dstack/contract/agent';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { AgentRefusal } from '../hosts/agent-client.ts';
import { insertInstances, serveAt, submitService } from '../http/testing/services.ts';
import { startTestServer, type TestServer } from '../http/testing/test-server.ts';
import { Prober } from './prober.ts';

let server: TestServer;
let app: Server;
let instances: string[];
let prober: Prober;
/** The requests that the app received, and its next answers; the last one is repeated. */
let asked: (Pick<IncomingMessage, 'method' | 'url' | 'headers'> & { body: string })[] = [];
let statuses: number[] = [];
/** This many times no program listens. */
let closed = 0;
let waiting: (() => void)[] = [];

beforeAll(async () => {
  server = await startTestServer();
  instances = await insertInstances(server, 1);
  app = createServer(async (request, response) => {
    const { method, url, headers } = request;
    asked.push({ method, url, headers, body: await text(request) });
    response.writeHead(statuses.length > 1 ? (statuses.shift() ?? 0) : (statuses[0] ?? 200)).end();
    for (const resume of waiting) resume();
  });
  app.listen(0, '127.0.0.1');
  await once(app, 'listening');
});
afterEach(() => prober.close());
afterAll(async () => {
  app.close();
  await server.close();
});

/** A running replica with these probes, repeated without a pause. */
async function probed(name: string, ...parts: object[]): Promise<string> {
  asked = [];
  waiting = [];
  statuses = [200];
  const probes = parts.map((part) => ({ type: 'http', interval: '1s', ...part }));
  const { id } = await submitService(server, name, { probes });
  const port = (app.address() as AddressInfo).port;
  const [job] = await serveAt(server, id, [port], instances);
  if (!job) throw new Error('no job');
  const spec = { ...job.spec, probes: job.spec.probes?.map((one) => ({ ...one, interval: 0 })) };
  const set = { spec, registered: false, ready: false };
  await server.store.engine.apply([
    { type: 'job.update', id: job.id, version: job.version, set: set as never },
  ]);
  prober = new Prober({
    store: server.store,
    now: () => performance.now() * 1000,
    newId: () => crypto.randomUUID(),
    log: server.deps.log,
    client: () => ({
      openPort: async () => {
        if (closed > 0) {
          closed -= 1;
          throw new AgentRefusal(502, 'port_refused', 'nothing listens');
        }
        const socket = connect(port, '127.0.0.1');
        await once(socket, 'connect');
        return { stream: socket, ownAddress: null };
      },
    }),
  });
  return job.id;
}

const reports = (id: string, phase: JobState['phase']) =>
  prober.onJobState('local', { id, phase } as JobState);

async function untilAsked(times: number): Promise<void> {
  while (asked.length < times) await new Promise<void>((resolve) => waiting.push(resolve));
}

async function untilStreaks(jobId: string, is: (streaks: number[]) => boolean): Promise<number[]> {
  for (;;) {
    const streaks = (await server.store.jobs.probes([jobId])).map((one) => one.successStreak);
    if (is(streaks)) return streaks;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('a probe', () => {
  it('sends the configured request, and its successes in a row are counted', async () => {
    const headers = [{ name: 'X-Key', value: '$' + '{{ secrets.key }}' }];
    const secret = { name: 'key', value: 'hidden' };
    await server.call('/api/project/main/secrets/create_or_update', secret);
    const id = await probed('plain', { url: '/well?a=1', method: 'post', body: 'hi', headers });
    reports(id, 'running');
    await untilStreaks(id, ([streak = 0]) => streak >= 3);
    expect(asked[0]).toMatchObject({
      ...{ method: 'POST', url: '/well?a=1', body: 'hi' },
      headers: { host: 'dstack', 'x-key': 'hidden' },
    });
  });

  it('is sent in time if a server with a wrong clock stored when it is due', async () => {
    const id = await probed('ahead', { url: '/' });
    const due = performance.now() * 1000 + 3_600_000_000;
    const ahead = { id: crypto.randomUUID(), jobId: id, probeNum: 0, successStreak: 0, due };
    await server.store.jobs.insertProbes([ahead]);
    reports(id, 'running');
    await untilAsked(1);
  });

  it('restarts the count after any answer but 2xx, and signals the run until it is ready', async () => {
    const id = await probed('failing', { ready_after: 3 });
    const wakes: string[] = [];
    const end = server.store.engine.onSignal(({ id: run }) => wakes.push(run));
    statuses = [204, 302, 200, 500];
    reports(id, 'running');
    await untilAsked(6);
    await untilStreaks(id, ([streak]) => streak === 0);
    end();
    expect(wakes.length).toBeGreaterThanOrEqual(4);
  });

  it('ends after the required successes if only these are configured', async () => {
    const id = await probed('once', { until_ready: true, ready_after: 2 }, { url: '/other' });
    reports(id, 'running');
    await untilStreaks(id, ([first = 0, second = 0]) => first === 2 && second > 4);
    expect(asked.filter(({ url }) => url === '/')).toHaveLength(2);
  });

  it('waits a little for an app that does not listen yet, without a failure', async () => {
    closed = 3;
    const id = await probed('starting', {});
    reports(id, 'running');
    await untilStreaks(id, ([streak = 0]) => streak > 0);
    expect(closed).toBe(0);
  });

  it('is replaced when an update changes it, without a restart of its job', async () => {
    const id = await probed('changed', { url: '/old' });
    reports(id, 'running');
    await untilAsked(1);
    const view = await server.store.jobs.byId(id);
    const { spec, version = 0, runId = '' } = view?.job ?? {};
    const [probe] = spec?.probes ?? [];
    const set = { spec: { ...spec, probes: [{ ...probe, url: '/new' }] } } as never;
    await server.store.engine.apply([{ type: 'job.update', id, version, set }]);
    prober.changed(runId);
    while (asked.at(-1)?.url !== '/new') await untilAsked(asked.length + 1);
    const seen = asked.length;
    await untilAsked(seen + 3);
    expect(asked.slice(seen).map(({ url }) => url)).not.toContain('/old');
  });

  it('ends with its job, and continues its count when the link is back', async () => {
    const id = await probed('ending', {});
    reports(id, 'running');
    reports(id, 'running');
    await untilStreaks(id, ([streak = 0]) => streak > 2);
    reports(id, 'exited');
    const [before] = await server.store.jobs.probes([id]);
    reports(id, 'running');
    const wanted = (before?.successStreak ?? 0) + 1;
    await untilStreaks(id, ([streak = 0]) => streak > wanted);
    expect(await server.store.jobs.probes([id])).toHaveLength(1);
  });
});
