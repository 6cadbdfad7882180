import { randomUUID } from 'node:crypto';
import { endpoints } from '@dstack/contract/api';
import { type CapacityBoard, HIDDEN_RUN } from '@dstack/contract/wire';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { insertInstances } from '../testing/services.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';

let server: TestServer;
beforeEach(async () => {
  server = await startTestServer();
});
afterEach(() => server.close());

const HOUR = 3600_000_000;

async function board(ids: readonly string[], project = 'main', token?: string) {
  const body = { instance_ids: ids };
  const answer = await server.call(`/api/project/${project}/capacity/board`, body, { token });
  if (answer.status === 200) {
    expect(endpoints['capacity.board'].response.parse(answer.body)).toEqual(answer.body);
  }
  return answer;
}

async function place(name: string, project: string, instanceId: string, more: object = {}) {
  const configuration = { type: 'task', commands: ['true'], ...more };
  const run_spec = { run_name: name, configuration, profile: { name: 'default' } };
  const run = await server.call(`/api/project/${project}/runs/apply`, {
    ...{ plan: { run_spec }, force: false },
  });
  const [job] = await server.store.jobs.ofRun(run.body.id);
  const { id = '', version = 0 } = job ?? {};
  const { now } = server.deps.context();
  const times = { provisionedAt: now, runningAt: now };
  const set = { status: 'running', instanceId, claimedBlocks: 2, ...times } as const;
  await server.store.engine.apply([{ type: 'job.update', id, version, set }]);
  return { runId: run.body.id as string, now };
}

async function member(username: string, project: string): Promise<string> {
  await server.call('/api/users/create', { username, global_role: 'user' });
  const user = await server.call('/api/users/get_user', { username });
  const members = [{ username, project_role: 'user' }];
  await server.call(`/api/projects/${project}/add_members`, { members });
  return user.body.creds.token;
}

/** A fleet of `main` that `lab` imports. */
async function sharedFleet() {
  const [instanceId = ''] = await insertInstances(server, 1);
  const view = await server.store.instances.byId(instanceId);
  await server.call('/api/projects/create', { project_name: 'lab' });
  await server.call('/api/project/main/exports/create', {
    name: 'pool',
    importer_projects: ['lab'],
    exported_fleets: [view?.fleet.name ?? ''],
  });
  return instanceId;
}

it('has the jobs with their shares, beginnings and known ends', async () => {
  const [instanceId = ''] = await insertInstances(server, 1);
  const { runId, now } = await place('train', 'main', instanceId, { max_duration: '1h' });
  await place('serve', 'main', instanceId, { max_duration: 'off' });
  const { jobs }: CapacityBoard = (await board([instanceId])).body;
  expect(jobs).toHaveLength(2);
  expect(jobs[0]).toMatchObject({
    ...{ instance_id: instanceId, run_id: runId, run_name: 'train', project_name: 'main' },
    ...{ user_name: 'admin', job_name: 'train-0-0', blocks: 2, leaves_at: null },
  });
  expect(Date.parse(jobs[0]?.since ?? '')).toBe(Math.floor(now / 1000));
  expect(Date.parse(jobs[0]?.until ?? '')).toBe(Math.floor((now + HOUR) / 1000));
  expect(jobs[1]).toMatchObject({ run_name: 'serve', until: null });
});

it('names runs of other projects to those only who may see them', async () => {
  const instanceId = await sharedFleet();
  await place('secret', 'lab', instanceId);
  const mia = await board([instanceId], 'main', await member('mia', 'main'));
  expect(mia.body.jobs).toEqual([
    expect.objectContaining({
      ...{
        run_id: null,
        run_name: HIDDEN_RUN,
        project_name: null,
        user_name: null,
        job_name: null,
      },
      blocks: 2,
    }),
  ]);
  expect(JSON.stringify(mia.body)).not.toMatch(/secret|lab/);
  const lea = await board([instanceId], 'lab', await member('lea', 'lab'));
  expect(lea.body.jobs).toMatchObject([{ run_name: 'secret', project_name: 'lab' }]);
  expect((await board([instanceId])).body.jobs).toMatchObject([{ run_name: 'secret' }]);
});

it('leaves out instances that the project cannot use, and that do not exist', async () => {
  const [instanceId = ''] = await insertInstances(server, 1);
  await place('train', 'main', instanceId);
  await server.call('/api/projects/create', { project_name: 'lab' });
  const unknown = '00000000-0000-4000-8000-000000000000';
  const empty = { jobs: [], incomplete: [] };
  expect((await board([instanceId, unknown], 'lab')).body).toEqual(empty);
  expect((await board([])).body).toEqual(empty);
});

it('names the instances whose jobs it leaves out, and has all jobs of the others', async () => {
  const [crowded = '', quiet = ''] = await insertInstances(server, 2);
  const { runId } = await place('swarm', 'main', crowded);
  const [job] = await server.store.jobs.ofRun(runId);
  if (job === undefined) throw new Error('no job');
  const others = Array.from({ length: 2001 }, (_, index) => ({
    ...{ ...job, id: randomUUID(), version: 0, jobNum: index + 1, name: `swarm-0-${index + 1}` },
  }));
  await server.store.engine.apply(others.map((one) => ({ type: 'job.insert', job: one })));
  await place('late', 'main', quiet);
  const { jobs, incomplete }: CapacityBoard = (await board([crowded, quiet])).body;
  expect(incomplete).toEqual([crowded]);
  expect(jobs).toMatchObject([{ instance_id: quiet, run_name: 'late' }]);
});

it('is for members of the project, and for so many instances at once', async () => {
  const [instanceId = ''] = await insertInstances(server, 1);
  await server.call('/api/projects/create', { project_name: 'lab' });
  const lea = await member('lea', 'lab');
  expect((await board([instanceId], 'main', lea)).status).toBe(403);
  expect((await board([instanceId], 'main', 'wrong')).status).toBe(403);
  expect((await board([instanceId], 'absent')).status).toBe(404);
  expect((await board(Array(101).fill(instanceId))).status).toBe(422);
});
