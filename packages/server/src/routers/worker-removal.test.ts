import type { JobRecord } from '@dstack/core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { insertInstances, serveAt, submitService } from '../http/testing/services.ts';
import { startTestServer, type TestServer } from '../http/testing/test-server.ts';
import { type FakeRouter, fakeRouter, openLocal } from './testing.ts';
import { WorkerRemoval } from './worker-removal.ts';

let server: TestServer;
let instances: string[];
let router: FakeRouter;
let removal: WorkerRemoval;
let pending: () => number;
let opened: () => void;
let names = 0;

beforeAll(async () => {
  server = await startTestServer();
  instances = await insertInstances(server, 3);
});
afterAll(() => server.close());
beforeEach(async () => {
  router = await fakeRouter();
  pending = () => 0;
  opened = () => {};
  removal = newRemoval();
});
afterEach(() => {
  removal.close();
  router.close();
});

function newRemoval(limit = 60_000): WorkerRemoval {
  return new WorkerRemoval({
    ...{ store: server.store, log: server.deps.log, pending: async () => pending() },
    times: { removal: limit, figures: 1, pause: 1 },
    openPort: async (_host, _job, port) => {
      opened();
      return { stream: await openLocal(port) };
    },
  });
}

/** A router and two workers, which it has. */
async function service(type: 'smg' | 'dynamo' = 'smg') {
  const { id } = await submitService(server, `removed-${++names}`, {
    commands: undefined,
    image: 'x',
    groups: [
      { name: 'router', replicas: 1, commands: ['route'], router: { type } },
      { name: 'worker', replicas: 2, commands: ['serve'] },
    ],
  });
  await serveAt(server, id, [router.port, 1, 2], instances);
  const jobs = (await server.store.jobs.ofRun(id)) as [JobRecord, JobRecord, JobRecord];
  for (const { id } of jobs.slice(1)) {
    const url = `http://10.0.0.5/${id}`;
    router.workers.set(id, { url, labels: { 'dstack.ai/job-id': id } });
  }
  return jobs;
}

/** The first look at a job, and when that has changed. */
async function leaving({ id }: JobRecord, limitMs = 60_000) {
  const view = await server.store.jobs.byId(id);
  if (!view) throw new Error('no such job');
  const done = Promise.withResolvers<void>();
  const isDone = () => removal.leave(view, limitMs, done.resolve);
  return { first: isDone(), done: done.promise, isDone };
}

it('a worker is removed from its router before its pending requests are awaited', async () => {
  const [, worker, other] = await service();
  const asked = Promise.withResolvers<string[]>();
  let requests = 2;
  pending = () => {
    asked.resolve([...router.workers.keys()]);
    return requests;
  };
  const { first, done, isDone } = await leaving(worker);
  expect(first).toBe(false);
  expect(await asked.promise).toEqual([other.id]);
  expect(isDone()).toBe(false);
  requests = 0;
  await done;
  expect(isDone()).toBe(true);
});

it('a removal that the router has only accepted is awaited until its list shows it', async () => {
  const [, worker, other] = await service();
  const { delete: remove } = router.workers;
  let accepted = 0;
  router.workers.delete = (id) => (++accepted > 2 ? remove.call(router.workers, id) : true);
  const asked = Promise.withResolvers<string[]>();
  pending = () => {
    asked.resolve([...router.workers.keys()]);
    return 0;
  };
  const { done } = await leaving(worker);
  expect(await asked.promise).toEqual([other.id]);
  await done;
  expect(accepted).toBe(3);
});

it('a router that does not answer, or requests that do not end, delay the stop by their limits alone', async () => {
  const [, worker, other] = await service();
  router.close();
  removal = newRemoval(100);
  let asked = 0;
  pending = () => ++asked;
  const { first, done } = await leaving(worker, 400);
  expect(first).toBe(false);
  await done;
  expect(asked).toBeGreaterThan(0);
  const short = await leaving(other, 5);
  await short.done;
  expect(short.isDone()).toBe(true);
});

it('routers themselves, and workers of Dynamo, are not looked up', async () => {
  opened = () => expect.fail('a router was asked');
  const [own] = await service();
  expect((await leaving(own)).first).toBe(true);
  const [, worker] = await service('dynamo');
  expect((await leaving(worker)).first).toBe(true);
});

it('a router that has ended sends nothing', async () => {
  const [own, worker] = await service();
  opened = () => expect.fail('a router was asked');
  const set = { status: 'failed', terminationReason: 'container_exited_with_error' } as const;
  const version = (await server.store.jobs.byId(own.id))?.job.version ?? 0;
  await server.store.engine.apply([{ type: 'job.update', id: own.id, version, set }]);
  const { done, isDone } = await leaving(worker);
  await done;
  expect(isDone()).toBe(true);
});
