import { endpoints } from '@dstack/contract/api';
import { HIDDEN_RUN, type RunQueue } from '@dstack/contract/wire';
import type { Change } from '@dstack/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { insertInstances } from '../testing/services.ts';
import { startTestServer, type TestAnswer, type TestServer } from '../testing/test-server.ts';

let server: TestServer;
beforeEach(async () => {
  server = await startTestServer();
});
afterEach(() => server.close());

const HOUR = 3600_000_000;

async function list(project = 'main', token?: string, body: object = {}): Promise<TestAnswer> {
  const answer = await server.call(`/api/project/${project}/queue/list`, body, { token });
  if (answer.status === 200) {
    expect(endpoints['queue.list'].response.parse(answer.body)).toEqual(answer.body);
  }
  return answer;
}

async function submit(name: string, project = 'main', more: object = {}): Promise<string> {
  const configuration = { type: 'task', commands: ['true'], retry: true, ...more };
  const run_spec = { run_name: name, configuration, profile: { name: 'default' } };
  const answer = await server.call(`/api/project/${project}/runs/apply`, {
    ...{ plan: { run_spec }, force: false },
  });
  if (answer.status !== 200) throw new Error(answer.text);
  return answer.body.id;
}

async function change(runId: string, set: object, more: readonly Change[] = []): Promise<void> {
  const [job] = await server.store.jobs.ofRun(runId);
  const { id = '', version = 0 } = job ?? {};
  const changes: Change[] = [{ type: 'job.update', id, version, set }, ...more];
  expect(await server.store.engine.apply(changes)).toBe('applied');
}

const wait = (runId: string, waitingSince: number) =>
  change(runId, { refusal: { kind: 'no-fleets' }, waitingSince });

async function member(username: string, project: string): Promise<string> {
  await server.call('/api/users/create', { username, global_role: 'user' });
  const user = await server.call('/api/users/get_user', { username });
  const members = [{ username, project_role: 'user' }];
  await server.call(`/api/projects/${project}/add_members`, { members });
  return user.body.creds.token;
}

/** The only instance of a fleet that `lab` imports is busy for an hour; a run of each project waits. */
async function fullPool(): Promise<{ readonly endsAt: string }> {
  const [instanceId = ''] = await insertInstances(server, 1);
  const view = await server.store.instances.byId(instanceId);
  await server.call('/api/projects/create', { project_name: 'lab' });
  await server.call('/api/project/main/exports/create', {
    name: 'pool',
    importer_projects: ['lab'],
    exported_fleets: [view?.fleet.name ?? ''],
  });
  const { now } = server.deps.context();
  const present = await submit('present', 'main', { max_duration: '1h' });
  const { version = 0, offer = null } = view?.instance ?? {};
  // Another project may not use the machine of the server.
  const backend = 'aws' as const;
  const elsewhere = { backend, offer: offer && { ...offer, backend } };
  const busy = { status: 'busy', busyBlocks: 1, ...elsewhere } as const;
  await change(
    present,
    { status: 'running', instanceId, claimedBlocks: 1, provisionedAt: now, runningAt: now },
    [{ type: 'instance.update', id: instanceId, version, set: busy }],
  );
  await wait(await submit('first', 'main', { max_duration: '30m', priority: 5 }), now);
  await wait(await submit('secret', 'lab'), now);
  return { endsAt: new Date((now + HOUR) / 1000).toISOString() };
}

const projectId = async () => (await server.store.projects.byName('main'))?.id ?? '';

const millis = (at: string | null | undefined) => (at == null ? null : Date.parse(at));

describe('the queue of a pool', () => {
  it('has the runs of all its projects in their order, with their expected starts', async () => {
    const { endsAt } = await fullPool();
    const queue: RunQueue = (await list()).body;
    expect(queue.total).toBe(2);
    const [first, second] = queue.runs;
    expect(first).toMatchObject({
      ...{ place: 1, run: 'first', project: 'main', user: 'admin', nodes: 1, priority: 5 },
      ...{ is_about: false, replica: null, why: expect.stringContaining('fleet') },
    });
    expect(millis(first?.expected_start)).toBe(Date.parse(endsAt));
    expect(first).toMatchObject({ places: [{ blocks: 1 }], max_duration: 1800 });
    expect(second).toMatchObject({ places: first?.places, max_duration: null });
    expect(second).toMatchObject({ place: 2, run: 'secret', project: 'lab', is_about: true });
    expect(millis(second?.expected_start)).toBe(Date.parse(endsAt) + 30 * 60_000);
  });

  it('shows no more of runs of other projects than that they are there, and when they start', async () => {
    await fullPool();
    const ours = (await list('main', await member('mia', 'main'))).body;
    expect(ours.runs.map(({ run }: { run: string }) => run)).toEqual(['first', HIDDEN_RUN]);
    expect(JSON.stringify(ours)).not.toMatch(/secret|lab/);
    const theirs = (await list('lab', await member('lea', 'lab'))).body;
    expect(theirs.runs[0]).toEqual({
      ...{ place: 1, run_id: null, run: HIDDEN_RUN, replica: null },
      ...{ project: null, user: null, nodes: null },
      ...{ priority: null, submitted_at: null, since: null, is_reserved: false, why: null },
      ...{ is_about: false, expected_start: ours.runs[0].expected_start, max_duration: 1800 },
      places: [{ instance_id: expect.any(String), blocks: 1 }],
    });
    expect(theirs.runs[1].run).toBe('secret');
  });

  it('is for members of the project only', async () => {
    await fullPool();
    const lea = await member('lea', 'lab');
    expect((await list('main', lea)).status).toBe(403);
    expect((await list('main', 'wrong')).status).toBe(403);
    expect((await list('absent')).status).toBe(404);
  });

  it('has as many runs as asked for, and the number of all', async () => {
    await fullPool();
    const queue: RunQueue = (await list('main', undefined, { limit: 1 })).body;
    expect([queue.runs.map(({ run }) => run), queue.total]).toEqual([['first'], 2]);
    expect((await list('main', undefined, { limit: 0 })).status).toBe(422);
  });

  it('begins with runs within the guarantee of their project, however many have a higher priority', async () => {
    await fullPool();
    const guaranteed = { gpu: null, cpu: null, memory: null, instances: 1, cost: null };
    const quotas = [{ project_name: 'lab', guaranteed }];
    expect((await server.call('/api/quotas/apply', { quotas })).status).toBe(200);
    const queue: RunQueue = (await list('main', undefined, { limit: 1 })).body;
    expect(queue.runs).toMatchObject([{ place: 1, run: 'secret' }]);
  });

  it('regards what runs have reserved that come behind those asked for', async () => {
    const { endsAt } = await fullPool();
    const { now } = server.deps.context();
    const holder = await submit('holder', 'main', { max_duration: '10m', priority: 5 });
    const [busy] = await server.store.instances.list({ onlyActive: true, projectIds: null });
    const shares = [{ instanceId: busy?.instance.id ?? '', blocks: 1 }];
    const reserved = { since: now, startsAt: Date.parse(endsAt) * 1000, shares };
    await change(holder, { refusal: { kind: 'no-fleets' }, waitingSince: now, reserved });
    const { runs, total }: RunQueue = (await list('main', undefined, { limit: 1 })).body;
    expect([runs.map(({ run }) => run), total]).toEqual([['first'], 3]);
    expect(millis(runs[0]?.expected_start)).toBe(Date.parse(endsAt) + 10 * 60_000);
  });

  it('prefers no run of a project that uses all that it is guaranteed', async () => {
    await fullPool();
    const quotas = [{ project_name: 'main', guaranteed: { instances: 1 } }];
    expect((await server.call('/api/quotas/apply', { quotas })).status).toBe(200);
    await wait(await submit('urgent', 'lab', { priority: 9 }), server.deps.context().now);
    const queue: RunQueue = (await list()).body;
    expect(queue.runs.map(({ run }) => run)).toEqual(['urgent', 'first', 'secret']);
  });

  it('expects a job without a limit to last as long as the last runs of its name', async () => {
    const [instanceId = ''] = await insertInstances(server, 1);
    const view = await server.store.instances.byId(instanceId);
    const { now } = server.deps.context();
    for (const minutes of [10, 30, 50]) {
      const id = await submit('nightly');
      const runningAt = now - 10 * HOUR;
      const times = { runningAt, finishedAt: runningAt + minutes * 60_000_000 };
      const run = (await server.store.runs.byName(await projectId(), 'nightly'))?.run;
      await change(id, { status: 'done', ...times }, [
        { type: 'run.update', id, version: run?.version ?? 0, set: { status: 'done' } },
      ]);
    }
    const present = await submit('nightly');
    const { version = 0 } = view?.instance ?? {};
    const busy = { status: 'busy', busyBlocks: 1 } as const;
    const placed = { instanceId, claimedBlocks: 1, provisionedAt: now, runningAt: now };
    await change(present, { status: 'running', ...placed }, [
      { type: 'instance.update', id: instanceId, version, set: busy },
    ]);
    await wait(await submit('first'), now);
    const { runs }: RunQueue = (await list()).body;
    expect(runs[0]).toMatchObject({ run: 'first', is_about: true });
    expect(millis(runs[0]?.expected_start)).toBe(Math.floor(now / 1000) + 30 * 60_000);
    const path = '/api/project/main/explain/runs/first';
    const { body } = await server.call(path, undefined, { method: 'GET' });
    expect([body.expected_start, body.is_about]).toEqual([runs[0]?.expected_start, true]);
  });

  it('is empty if no run waits', async () => {
    const none = { runs: [], total: 0, kept_back: [], kept_back_total: 0 };
    expect((await list()).body).toEqual(none);
  });

  it('has beside it the runs of the project that are kept out of it, and why', async () => {
    await submit('prepare');
    await server.call('/api/project/main/runs/hold', { runs_names: ['prepare'] });
    await submit('train', 'main', { priority: 7, depends_on: ['prepare'] });
    const queue: RunQueue = (await list()).body;
    expect(queue.kept_back.map(({ run }) => run)).toEqual(['prepare', 'train']);
    expect(queue.kept_back).toMatchObject([
      { user: 'admin', hold: { by: 'admin' }, waits_for: [], is_unmet: false },
      { priority: 7, hold: null, waits_for: ['prepare'], is_unmet: false },
    ]);
    expect(queue.kept_back_total).toBe(2);
    const first: RunQueue = (await list('main', undefined, { limit: 1 })).body;
    expect([first.kept_back.length, first.kept_back_total]).toEqual([1, 2]);
    await server.call('/api/project/main/runs/release', { runs_names: ['prepare'] });
    const after: RunQueue = (await list()).body;
    expect(after.kept_back.map(({ run }) => run)).toEqual(['train']);
  });

  it('keeps those of other projects to itself', async () => {
    await fullPool();
    await submit('theirs', 'lab');
    await server.call('/api/project/lab/runs/hold', { runs_names: ['theirs'] });
    expect((await list('main')).body.kept_back).toEqual([]);
    expect((await list('lab')).body.kept_back).toMatchObject([{ run: 'theirs' }]);
  });

  it('is where an explanation and a plan see a run', async () => {
    const { endsAt } = await fullPool();
    const path = '/api/project/main/explain/runs/first';
    const { body } = await server.call(path, undefined, { method: 'GET' });
    expect([millis(body.expected_start), body.is_about]).toEqual([Date.parse(endsAt), false]);
    const configuration = { type: 'task', commands: ['true'], retry: true, priority: 9 };
    const run_spec = { run_name: 'urgent', configuration, profile: { name: 'default' } };
    const plan = await server.call('/api/project/main/runs/get_plan', { run_spec });
    expect(plan.body).toMatchObject({ outlook: 'waits', queue_place: 1, is_about: false });
    expect(plan.body.places).toEqual([{ instance_id: expect.any(String), blocks: 1 }]);
    expect(millis(plan.body.expected_start)).toBe(Date.parse(endsAt));
    const quotas = [{ project_name: 'main', user_name: '*', limit: { instances: 0 } }];
    expect((await server.call('/api/quotas/apply', { quotas })).status).toBe(200);
    const limited = await server.call('/api/project/main/runs/get_plan', { run_spec });
    // A user whose quota is used up reserves nothing, so that no start is promised.
    expect(limited.body.is_about || limited.body.expected_start === null).toBe(true);
    await server.call('/api/quotas/delete', {
      quotas: [{ project_name: 'main', user_name: '*' }],
    });
    const last = { ...run_spec, configuration: { ...configuration, priority: 0 } };
    const behind = await server.call('/api/project/main/runs/get_plan', { run_spec: last });
    expect(behind.body).toMatchObject({ queue_place: 3, expected_start: null, is_about: false });
  });
});
