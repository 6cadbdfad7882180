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
  runId = (await submit('seen')).id;
});
afterAll(() => server.close());

async function submit(run_name: string) {
  const run_spec = { run_name, configuration: { type: 'task', commands: ['true'] } };
  const plan = { run_spec, current_resource: null };
  return (await server.call('/api/project/main/runs/apply', { plan, force: false })).body;
}

async function open(headers: Record<string, string> = {}, name = 'seen') {
  const disconnected = new AbortController();
  const response = await fetch(`${url}/api/project/main/runs/watch?run_name=${name}`, {
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
      const run = JSON.parse(/^data: (.+)$/m.exec(message)?.[1] ?? 'null');
      return {
        id: /^id: (.+)$/m.exec(message)?.[1] ?? '',
        status: run?.status,
        pull: run?.latest_job_submission?.image_pull_progress,
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
  expect(await again.next()).toMatchObject({ id, status });
  again.close();
  const resumed = await open({ 'last-event-id': id });
  await stop();
  expect(await resumed.next()).toMatchObject({
    id: expect.not.stringMatching(id),
    status: 'terminating',
  });
  resumed.close();
});

it('shows how much of an image has been pulled, which no pass of the run follows', async () => {
  const { latest_job_submission: job } = await submit('pulled');
  const { engine, reports } = server.store;
  const set = { status: 'pulling' } as const;
  await engine.apply([{ type: 'job.update', id: job.id, version: 0, set }]);
  const stream = await open({}, 'pulled');
  expect((await stream.next()).pull).toBeNull();
  const sizes = { extracted_bytes: 0, total_bytes: 30, is_total_bytes_final: true };
  await reports.savePull(job.id, { ...sizes, downloaded_bytes: 10 });
  expect((await stream.next()).pull).toMatchObject({ downloaded_bytes: 10 });
  // The last of several that come fast is sent in any case.
  for (const downloaded_bytes of [20, 30]) {
    await reports.savePull(job.id, { ...sizes, downloaded_bytes });
  }
  let last: unknown;
  while (last !== 30) last = (await stream.next()).pull?.downloaded_bytes;
  stream.close();
});

it.each(Object.values(eventStreams))('$path exists for members as described', async (one) => {
  const path = one.path.replace('{project_name}', 'main');
  expect((await fetch(`${url}${path}`)).status).toBe(401);
  if (!one.query.some(({ required }) => required)) return;
  const headers = { authorization: `Bearer ${server.token}` };
  expect((await fetch(`${url}${path}`, { headers })).status).toBe(400);
});
