import type { Change } from '@dstack/core';
import type { Examined } from '@dstack/store';
import { expect, it, onTestFinished } from 'vitest';
import { NO_HINTS } from '../http/testing/offers.ts';
import { passDeps } from '../http/testing/pass-deps.ts';
import { insertInstances } from '../http/testing/services.ts';
import { startTestServer, type TestServer } from '../http/testing/test-server.ts';
import { pool } from './work/pool.ts';

const HOUR = 3600_000_000;

async function submit(server: TestServer, name: string, more: object = {}): Promise<string> {
  const configuration = { type: 'task', name, commands: ['true'], retry: true, ...more };
  const body = { plan: { run_spec: { run_name: name, configuration } }, force: false };
  const answer = await server.call('/api/project/main/runs/apply', body);
  expect(answer.status).toBe(200);
  return answer.body.id;
}

async function setJob({ store }: TestServer, runId: string, set: object, more: Change[] = []) {
  const [job] = await store.jobs.ofRun(runId);
  const { id = '', version = 0 } = job ?? {};
  const outcome = await store.engine.apply([{ type: 'job.update', id, version, set }, ...more]);
  expect(outcome).toBe('applied');
}

/** The only instance has a job that ends in an hour, and another one waits for it. */
async function fullPool() {
  const server = await startTestServer();
  onTestFinished(() => server.close());
  const { now } = server.deps.context();
  const [instanceId = ''] = await insertInstances(server, 1);
  const view = await server.store.instances.byId(instanceId);
  const { version = 0 } = view?.instance ?? {};
  const busy = { status: 'busy', busyBlocks: 1 } as const;
  await setJob(
    server,
    await submit(server, 'present', { max_duration: '1h' }),
    { status: 'running', instanceId, claimedBlocks: 1, provisionedAt: now, runningAt: now },
    [{ type: 'instance.update', id: instanceId, version, set: busy }],
  );
  const waiting = await submit(server, 'waiting');
  await setJob(server, waiting, { refusal: { kind: 'no-fleets' }, waitingSince: now });
  return { server, waiting, startsAt: now + HOUR };
}

/** Passes over the pool; each returns the alarms that it sets and removes. */
function passesOf(server: TestServer, hasPolledBackends = false) {
  const armed: (number | null)[] = [];
  let next: Examined = 'all';
  const deps = passDeps(server);
  const work = pool.work({
    ...deps,
    offers: { ...deps.offers, hints: async () => ({ ...NO_HINTS, hasPolledBackends }) },
    arm: (_kind: string, _id: string, at: number | null) => void armed.push(at),
    examined: () => next,
  });
  return async (examined: Examined) => {
    next = examined;
    const projectId = (await server.store.projects.byName('main'))?.id ?? '';
    const [id = ''] = await server.store.engine.waitingFor({ kind: 'project', projectId });
    await work(id);
    return armed.splice(0);
  };
}

const pass = (server: TestServer, examined: Examined) => passesOf(server)(examined);

it('a reservation is stored, and a pass is due when it should start', async () => {
  const { server, waiting, startsAt } = await fullPool();
  expect(await pass(server, 'all')).toContain(startsAt);
  const [job] = await server.store.jobs.ofRun(waiting);
  expect(job?.reserved).toMatchObject({ startsAt });
  await submit(server, 'new');
  expect(await pass(server, 'new')).not.toContain(null);
});

it('a second pass over the same pool writes nothing', async () => {
  const { server, waiting } = await fullPool();
  await pass(server, 'all');
  const [before] = await server.store.jobs.ofRun(waiting);
  await pass(server, 'all');
  expect((await server.store.jobs.ofRun(waiting))[0]).toEqual(before);
});

it('new work does not put off a pass that is due before', async () => {
  const { server } = await fullPool();
  const next = passesOf(server, true);
  const [due] = await next('all');
  await submit(server, 'new');
  expect(due).not.toBeNull();
  expect(await next('new')).toEqual([due]);
});
