import type { JobState } from '@dstack/contract/agent';
import type { JobRecord } from '@dstack/core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { insertInstances, serveAt, submitService } from '../http/testing/services.ts';
import { startTestServer, type TestServer } from '../http/testing/test-server.ts';
import { RouterSync } from './router-sync.ts';
import { type FakeRouter, fakeRouter, fakeSglang, type Listening, openLocal } from './testing.ts';

let server: TestServer;
let instances: string[];
let engine: Listening;
let router: FakeRouter;
let sync: RouterSync;
let linked = true;
let names = 0;

beforeAll(async () => {
  server = await startTestServer();
  instances = await insertInstances(server, 3);
  engine = await fakeSglang({ status: 'ready', disaggregation_mode: 'decode' });
});
afterAll(async () => {
  engine.close();
  await server.close();
});
beforeEach(async () => {
  linked = true;
  router = await fakeRouter();
  sync = new RouterSync({
    store: server.store,
    log: server.deps.log,
    isLinked: () => linked,
    openPort: async (_host, _job, port) => ({
      ...{ stream: await openLocal(port), ownAddress: null },
    }),
  });
});
afterEach(() => {
  sync.close();
  router.close();
});

/** A service with a router and two workers; ports of those that run. */
async function service(type: 'smg' | 'dynamo', ports: readonly (number | null)[]) {
  const { id } = await submitService(server, `routed-${++names}`, {
    commands: undefined,
    image: 'x',
    groups: [
      { name: 'router', replicas: 1, commands: ['route'], router: { type } },
      { name: 'worker', replicas: 2, commands: ['serve'] },
    ],
  });
  await serveAt(server, id, ports, instances);
  return { id, jobs: await addressed(id) };
}

/** All jobs of a run, with the address of their machine. */
async function addressed(id: string): Promise<JobRecord[]> {
  const jobs = await server.store.jobs.ofRun(id);
  const provisioningData = { hostname: '10.0.0.5', internal_ip: '10.0.0.5' } as never;
  await server.store.engine.apply(
    jobs.map(({ id, version }) => ({ type: 'job.update', id, version, set: { provisioningData } })),
  );
  return await server.store.jobs.ofRun(id);
}

async function change({ id }: JobRecord, set: Partial<JobRecord>): Promise<void> {
  const version = (await server.store.jobs.byId(id))?.job.version ?? 0;
  await server.store.engine.apply([{ type: 'job.update', id, version, set }]);
}

const reports = ({ id }: JobRecord, phase: JobState['phase']) =>
  sync.onJobState('host', { id, phase } as JobState);

const registered = () => [...router.workers.values()].map(({ labels }) => labels);
const labelOf = ({ id }: JobRecord) => ({ 'dstack.ai/job-id': id });

it('a router learns of its running workers, and of each as it starts or ends', async () => {
  const { id, jobs } = await service('smg', [router.port, engine.port, null]);
  const [first, second, third] = jobs as [JobRecord, JobRecord, JobRecord];
  reports(first, 'running');
  await router.until(() => router.workers.size === 1);
  expect([...router.workers.values()]).toEqual([
    {
      ...{ url: `http://10.0.0.5:${engine.port}`, worker_type: 'decode' },
      ...{ connection_mode: 'http', runtime_type: 'sglang', labels: labelOf(second) },
    },
  ]);
  router.workers.set('own', { url: 'http://10.9.9.9:1', labels: { team: 'a' } });
  const other = await fakeSglang({ status: 'ready' });
  const spec = { ...third.spec, service_port: other.port };
  await change(third, { spec, status: 'running', instanceId: instances[2] ?? null });
  sync.changed(id);
  await router.until(() => router.workers.size === 3);
  expect(registered()).toContainEqual(labelOf(third));
  await change(second, { status: 'terminating', terminationReason: 'scaled_down' });
  sync.changed(id);
  await router.until(() => router.workers.size === 2);
  expect(registered()).toEqual([{ team: 'a' }, labelOf(third)]);
  other.close();
});

it('a worker that a command has registered at its address is not registered again', async () => {
  const { jobs } = await service('smg', [router.port, engine.port, null]);
  router.workers.set('own', { url: `http://10.0.0.5:${engine.port}` });
  let asked = 0;
  const looked = router.until(() => ++asked > 1);
  reports(jobs[0] as JobRecord, 'running');
  await looked;
  expect(registered()).toEqual([undefined]);
});

it('a worker is tried again until its engine and the router accept it', async () => {
  const { jobs } = await service('smg', [router.port, engine.port, null]);
  router.refusal = { status: 503, body: { error: 'busy' } };
  let refused = 0;
  const again = router.until(() => ++refused > 4);
  reports(jobs[0] as JobRecord, 'running');
  await again;
  router.refusal = null;
  await router.until(() => router.workers.size === 1);
});

it('nothing is registered once another server has the link, or the router has ended', async () => {
  const { id, jobs } = await service('smg', [router.port, engine.port, null]);
  linked = false;
  reports(jobs[0] as JobRecord, 'running');
  linked = true;
  reports(jobs[0] as JobRecord, 'running');
  await router.until(() => router.workers.size === 1);
  reports(jobs[0] as JobRecord, 'exited');
  router.workers.clear();
  sync.changed(id);
  await server.store.jobs.ofRun(id);
  expect(router.workers.size).toBe(0);
});

it('a router whose end was reported while it was looked up is not asked for ever', async () => {
  const { jobs } = await service('smg', [router.port, engine.port, null]);
  const [first] = jobs as [JobRecord];
  await change(first, { status: 'failed', terminationReason: 'container_exited_with_error' });
  const { runs } = server.store;
  let opened = 0;
  const looked = Promise.withResolvers<void>();
  const own = new RouterSync({
    log: server.deps.log,
    isLinked: () => true,
    openPort: async () => {
      opened += 1;
      looked.resolve();
      throw new Error('nothing listens');
    },
    store: {
      ...server.store,
      runs: {
        ...runs,
        byId: async (id) => {
          const view = await runs.byId(id);
          setImmediate(() => looked.resolve());
          return view;
        },
      },
    },
  });
  own.onJobState('host', { id: first.id, phase: 'running' } as JobState);
  await looked.promise;
  expect(opened).toBe(0);
  own.close();
});

it('routers of Dynamo find their workers by themselves', async () => {
  const { id, jobs } = await service('dynamo', [router.port, engine.port, null]);
  reports(jobs[0] as JobRecord, 'running');
  await server.store.jobs.ofRun(id);
  sync.changed(id);
  await server.store.jobs.ofRun(id);
  expect(router.workers.size).toBe(0);
});
