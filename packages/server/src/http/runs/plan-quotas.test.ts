/** The parts of a plan about quotas, and about the projects whose capacity a run would use. */
import type { Change } from '@dstack/core';
import { anOffer, provisioningDataFor } from '@dstack/core/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { insertInstances } from '../testing/services.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';

let server: TestServer;
beforeEach(async () => {
  server = await startTestServer();
});
afterEach(() => server.close());

const RUN = { type: 'task', commands: ['true'], retry: true };
const specOf = (run_name: string, more: object = {}) => ({
  run_spec: { run_name, configuration: { ...RUN, ...more }, profile: { name: 'default' } },
});

const planOf = async (project: string, token?: string, more: object = {}) => {
  const spec = specOf('planned', more);
  return (await server.call(`/api/project/${project}/runs/get_plan`, spec, { token })).body;
};
const withoutRetry = (project: string) => planOf(project, undefined, { retry: null });

const setQuotas = (...quotas: object[]) => server.call('/api/quotas/apply', { quotas });

/** The only instance, which `lab` imports, has been used by a run of `main` for so long. */
async function lentOut(seconds = 3600): Promise<void> {
  const [instanceId = ''] = await insertInstances(server, 1);
  const view = await server.store.instances.byId(instanceId);
  await server.call('/api/projects/create', { project_name: 'lab' });
  await server.call('/api/project/main/exports/create', {
    name: 'pool',
    importer_projects: ['lab'],
    exported_fleets: [view?.fleet.name ?? ''],
  });
  const { body } = await server.call('/api/project/main/runs/apply', {
    ...{ plan: specOf('present'), force: false },
  });
  const [job] = await server.store.jobs.ofRun(body.id);
  const at = server.deps.context().now - seconds * 1e6;
  const { version = 0, offer = null } = view?.instance ?? {};
  // Another project may not use the machine of the server.
  const backend = 'aws' as const;
  const whole = { ...(offer ?? anOffer()), backend };
  const provisioningData = provisioningDataFor(whole, '10.0.0.1');
  const elsewhere = { backend, offer: whole, provisioningData };
  const placed = { instanceId, claimedBlocks: 1, provisionedAt: at, runningAt: at };
  const changes = [
    {
      ...{ type: 'job.update', id: job?.id, version: job?.version },
      set: { status: 'running', ...placed },
    },
    {
      ...{ type: 'instance.update', id: instanceId, version },
      set: { status: 'busy', busyBlocks: 1, ...elsewhere },
    },
  ];
  expect(await server.store.engine.apply(changes as unknown as readonly Change[])).toBe('applied');
}

describe('the plan of a run', () => {
  it('has what is used of the limits that hold for it, and nothing without quotas', async () => {
    await lentOut();
    expect(await planOf('main')).toMatchObject({ quota: [], preempts: [], borrows: null });
    await setQuotas({ project_name: 'main', limit: { instances: 2 } });
    expect((await planOf('main')).quota).toEqual([
      {
        ...{ of: 'project', fleet: null, resource: 'instances' },
        ...{ used: 1, limit: 2, needed: null },
      },
    ]);
  });

  it('names whose runs would have to leave for it, nameless if the caller may not see them', async () => {
    await lentOut();
    await setQuotas({ project_name: 'lab', guaranteed: { instances: 1 } });
    expect(await planOf('lab')).toMatchObject({
      ...{ outlook: 'waits', preempts: [{ project: 'main', runs: 1 }], borrows: null },
    });
    await server.call('/api/users/create', { username: 'lea', global_role: 'user' });
    const { body: lea } = await server.call('/api/users/get_user', { username: 'lea' });
    const members = [{ username: 'lea', project_role: 'user' }];
    await server.call('/api/projects/lab/add_members', { members });
    const plan = await planOf('lab', lea.creds.token);
    expect(plan.preempts).toEqual([{ project: null, runs: 1 }]);
  });

  it('reports that it waits for those who have to leave for it, also without `retry`', async () => {
    await lentOut();
    await setQuotas({ project_name: 'lab', guaranteed: { instances: 1 } });
    expect(await withoutRetry('lab')).toMatchObject({
      ...{ outlook: 'waits', queue_place: 1, preempts: [{ project: 'main', runs: 1 }] },
      ...{ expected_start: expect.any(String), is_about: true, places: [{ blocks: 1 }] },
    });
    expect(await withoutRetry('main')).toMatchObject({ outlook: 'ends', queue_place: null });
  });

  it('reports that it waits without `retry` for those who have not run long enough to be asked', async () => {
    await lentOut(10);
    expect(await withoutRetry('lab')).toMatchObject({ outlook: 'ends' });
    await setQuotas({ project_name: 'lab', guaranteed: { instances: 1 } });
    expect(await withoutRetry('lab')).toMatchObject({ outlook: 'waits', preempts: [] });
  });

  it('contains why it borrows', async () => {
    await lentOut();
    await setQuotas({ project_name: 'lab', guaranteed: { instances: 1 } });
    expect((await planOf('main')).borrows).toBe(
      'project main is guaranteed nothing of what the run needs',
    );
  });
});
