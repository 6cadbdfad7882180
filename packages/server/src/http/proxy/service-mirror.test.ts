import { once } from 'node:events';
import {
  createServer,
  type IncomingHttpHeaders,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { serviceSeries } from '../../metrics/service-series.ts';
import { closedPort, ProxiedServices } from '../testing/proxied-services.ts';

interface Seen {
  readonly line: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

let proxy: ProxiedServices;
/** The app that gets the copies. */
let app: Server;
let seen: Seen[] = [];
/** Answers that are held back, by tests that set it. */
let held: ServerResponse[] | null = null;

beforeAll(async () => {
  proxy = await ProxiedServices.start();
  app = createServer(async (request, response) => {
    const { method, url, headers } = request;
    seen.push({ line: `${method} ${url}`, headers, body: await text(request) });
    if (held === null) response.writeHead(418, { 'x-copy': 'yes' }).end('a copy');
    else held.push(response);
  }).listen(0, '127.0.0.1');
  await once(app, 'listening');
  await proxy.service('next', {}, [(app.address() as AddressInfo).port]);
});
afterAll(async () => {
  app.closeAllConnections();
  app.close();
  await proxy.close();
});
beforeEach(() => {
  seen = [];
  held = null;
});

const copies = (count: number) => vi.waitFor(() => expect(seen).toHaveLength(count));
const figures = async (run: string) =>
  (
    await proxy.server.call(`/api/project/main/services/${run}/state`, undefined, {
      method: 'GET',
    })
  ).body;
const lines = () => seen.map(({ line }) => line).sort();

it('a service gets copies of the requests to another one, whose answers no client sees', async () => {
  await proxy.service('plain', { mirror: { service: 'next' }, auth: true });
  const answer = await proxy.get('plain/a%2Fb?c', {
    headers: { cookie: 'a=1', 'x-dstack-user': 'root' },
  });
  expect([answer.status, answer.headers.get('x-copy')]).toEqual([200, null]);
  expect(await answer.text()).toMatch(/^(one|two) \/a%2Fb\?c$/);
  await copies(1);
  expect(seen[0]).toMatchObject({
    line: 'GET /a%2Fb?c',
    headers: { cookie: 'a=1', 'x-dstack-user': 'admin', 'x-dstack-mirror': 'plain' },
  });
  expect(seen[0]?.headers).not.toHaveProperty('authorization');
  // Others change something, so they are copied on request only.
  await proxy.get('plain/x', { method: 'POST', body: 'x' });
  await proxy.get('plain/y', { method: 'HEAD' });
  await copies(2);
  expect(lines()).toEqual(['GET /a%2Fb?c', 'HEAD /y']);
});

it('bodies are copied when they are complete, up to a limit', async () => {
  await proxy.service('writes', { mirror: { service: 'next', methods: ['POST'] } });
  const post = (body: string) => proxy.get('writes/upload', { method: 'POST', body });
  expect((await post('hello')).status).toBe(200);
  await copies(1);
  expect(seen[0]).toMatchObject({ line: 'POST /upload', body: 'hello' });
  expect(await (await post('x'.repeat(3 * 1024 * 1024))).text()).toContain(`${3 * 1024 * 1024}`);
  await post('again');
  await copies(2);
  expect(seen[1]?.body).toBe('again');
  const { mirrored } = await figures('writes');
  expect(mirrored.copies).toMatchObject({ dropped: 1 });
});

it('requests to a model are copied as the service receives them', async () => {
  const mirror = { service: 'next', methods: ['POST'] };
  await proxy.service('llm', { model: 'parrot', mirror, auth: true, probes: [] });
  const body = { model: 'parrot', messages: [{ role: 'user', content: 'hello' }] };
  await proxy.server.call('/proxy/models/main/chat/completions', body);
  await copies(1);
  expect(seen[0]).toMatchObject({
    line: 'POST /v1/chat/completions',
    headers: { 'x-dstack-user': 'admin', 'x-dstack-mirror': 'llm' },
  });
  expect(JSON.parse(seen[0]?.body ?? '')).toEqual(body);
  const long = { ...body, messages: [{ role: 'user', content: 'x'.repeat(2 * 1024 * 1024) }] };
  await proxy.server.call('/proxy/models/main/chat/completions', long);
  await vi.waitFor(async () =>
    expect((await figures('llm')).mirrored?.copies).toMatchObject({ dropped: 1 }),
  );
  expect(seen).toHaveLength(1);
});

it('of each hundred requests, the given number is copied', async () => {
  await proxy.service('some', { mirror: { service: 'next', percent: 30 } });
  for (let n = 0; n < 20; n++) await proxy.get(`some/${n}`);
  await copies(6);
});

it('copies that are not answered delay and fail nothing, and are counted apart', async () => {
  await proxy.service('busy', { mirror: { service: 'next' } });
  held = [];
  for (let n = 0; n < 3; n++) expect((await proxy.get(`busy/${n}`)).status).toBe(200);
  await vi.waitFor(() => expect(held).toHaveLength(3));
  for (const response of held) response.destroy();
  held = null;
  await vi.waitFor(async () => {
    const { mirrored, answered } = await figures('busy');
    expect([mirrored?.copies, answered]).toEqual([{ failed: 3 }, { '2xx': 3 }]);
  });
  await proxy.get('busy/later');
  await vi.waitFor(async () =>
    expect((await figures('busy')).mirrored).toMatchObject({ copies: { '4xx': 1 } }),
  );
  const series = await serviceSeries(await proxy.server.services.states());
  expect(series).toContain(
    'dstack_service_mirrored_requests_total{dstack_project_name="main",dstack_run_name="busy",status="4xx"} 1',
  );
  // The service that gets them has answered no client.
  expect((await figures('next')).answered).toEqual({});
});

it('without a service that can take them, copies are dropped', async () => {
  await proxy.service('lone', { mirror: { service: 'missing' } });
  await proxy.service('dead', {}, [await closedPort()]);
  await proxy.service('apart', { mirror: { service: 'dead' } });
  for (const run of ['lone', 'apart']) {
    expect((await proxy.get(`${run}/x`)).status).toBe(200);
    const outcome = run === 'lone' ? { dropped: 1 } : { failed: 1 };
    await vi.waitFor(async () => expect((await figures(run)).mirrored?.copies).toEqual(outcome));
  }
});

it('a copy is not copied again, neither by the service that gets it nor by an app that passes it on', async () => {
  await proxy.service('left', { mirror: { service: 'right' } });
  await proxy.service('right', { mirror: { service: 'next' } });
  await proxy.service('around', { mirror: { service: 'next' } });
  await proxy.get('left/x');
  await vi.waitFor(async () =>
    expect((await figures('left')).mirrored?.copies).toEqual({ '2xx': 1 }),
  );
  await proxy.get('around/x', { headers: { 'x-dstack-mirror': 'left' } });
  await proxy.get('around/last');
  await copies(1);
  expect(lines()).toEqual(['GET /last']);
});

it('an update of `mirror` restarts nothing, and clients without the key keep it', async () => {
  const { id } = await proxy.service('changed', { probes: [] });
  const specOf = (more: object) => ({
    ...{ run_name: 'changed', profile: { name: 'default' } },
    configuration: {
      ...{ type: 'service', port: 8000, commands: ['serve'], replicas: 2, probes: [], ...more },
    },
  });
  const { server } = proxy;
  const update = async (more: object, headers: Readonly<Record<string, string>>) => {
    const run_spec = specOf(more);
    const planned = await server.call('/api/project/main/runs/get_plan', { run_spec }, { headers });
    expect(planned.body.action).toBe('update');
    const plan = { run_spec, current_resource: planned.body.current_resource };
    await server.call('/api/project/main/runs/apply', { plan, force: false }, { headers });
    server.services.changed(id);
    return planned.body.notes as string[];
  };
  const ours = { 'user-agent': 'dstack-cli' };
  const note = expect.stringContaining('which `mirror` names');
  expect(await update({ mirror: { service: 'next' } }, ours)).not.toContainEqual(note);
  await proxy.get('changed/one');
  await copies(1);
  await update({ strip_prefix: false }, { 'user-agent': 'python-requests/2' });
  await proxy.get('changed/two');
  await copies(2);
  expect(await update({ mirror: { service: 'none' } }, ours)).toContain(
    'Service none, which `mirror` names, does not exist: copies of requests are dropped until it does',
  );
});
