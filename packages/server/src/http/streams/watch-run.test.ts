import type { AddressInfo } from 'node:net';
import { eventStreams } from '@dstack/contract/api';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ChangeHub } from '../../changes/change-hub.ts';
import { RunChanges } from '../../loops/run-changes.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';
import { changeRoute } from './change-route.ts';
import { streamRoutes } from './routes.ts';

const changes = new RunChanges();
let server: TestServer;
let url: string;
let runId: string;

beforeAll(async () => {
  server = await startTestServer();
  const deps = { ...server.deps, logStore: server.logs, changes };
  streamRoutes(server.app, deps);
  const {
    store,
    deps: { log },
  } = server;
  changeRoute(server.app, {
    ...deps,
    hub: new ChangeHub({ changes: store.changes, load: async () => [], log }),
  });
  await server.app.listen({ host: '127.0.0.1', port: 0 });
  url = `http://127.0.0.1:${(server.app.server.address() as AddressInfo).port}`;
  const run_spec = { run_name: 'seen', configuration: { type: 'task', commands: ['true'] } };
  const plan = { run_spec, current_resource: null };
  const applied = await server.call('/api/project/main/runs/apply', { plan, force: false });
  runId = applied.body.id;
});
afterAll(() => server.close());

async function open(headers: Record<string, string> = {}) {
  const disconnected = new AbortController();
  const response = await fetch(`${url}/api/project/main/runs/watch?run_name=seen`, {
    headers: { authorization: `Bearer ${server.token}`, ...headers },
    signal: disconnected.signal,
  });
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  return {
    async next() {
      while (!text.includes('\n\n')) text += (await reader?.read())?.value ?? '';
      const end = text.indexOf('\n\n');
      const message = text.slice(0, end);
      text = text.slice(end + 2);
      return {
        id: /^id: (.+)$/m.exec(message)?.[1] ?? '',
        status: JSON.parse(/^data: (.+)$/m.exec(message)?.[1] ?? 'null')?.status,
      };
    },
    close: () => disconnected.abort(),
  };
}

async function stop() {
  await server.call('/api/project/main/runs/stop', { runs_names: ['seen'], abort: false });
  changes.emit(runId);
}

it('shows a run now and after each change, and continues after the last received state', async () => {
  const first = await open();
  const { id, status } = await first.next();
  expect([id, status]).toEqual([expect.stringMatching(/^[\w-]+$/), 'submitted']);
  first.close();
  const again = await open();
  expect(await again.next()).toEqual({ id, status });
  again.close();
  const resumed = await open({ 'last-event-id': id });
  await stop();
  expect(await resumed.next()).toEqual({
    id: expect.not.stringMatching(id),
    status: 'terminating',
  });
  resumed.close();
});

it.each(Object.values(eventStreams))('$path exists for members as described', async (one) => {
  const path = one.path.replace('{project_name}', 'main');
  expect((await fetch(`${url}${path}`)).status).toBe(401);
  if (!one.query.some(({ required }) => required)) return;
  const headers = { authorization: `Bearer ${server.token}` };
  expect((await fetch(`${url}${path}`, { headers })).status).toBe(400);
});
