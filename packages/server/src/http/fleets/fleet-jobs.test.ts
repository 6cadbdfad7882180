import { endpoints } from '@dstack/contract/api';
import { HIDDEN_RUN } from '@dstack/contract/wire';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { insertInstances } from '../testing/services.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';

let server: TestServer;
beforeEach(async () => {
  server = await startTestServer();
});
afterEach(() => server.close());

it('the jobs on a fleet are named to those who may see their runs', async () => {
  const [instanceId = ''] = await insertInstances(server, 1);
  const view = await server.store.instances.byId(instanceId);
  await server.call('/api/projects/create', { project_name: 'lab' });
  const configuration = { type: 'task', commands: ['true'] };
  const run_spec = { run_name: 'secret', configuration, profile: { name: 'default' } };
  const run = await server.call('/api/project/lab/runs/apply', {
    plan: { run_spec },
    force: false,
  });
  const [job] = await server.store.jobs.ofRun(run.body.id);
  const { id = '', version = 0 } = job ?? {};
  await server.store.engine.apply([
    { type: 'job.update', id, version, set: { status: 'running', instanceId, claimedBlocks: 1 } },
  ]);
  await server.call('/api/users/create', { username: 'ann', global_role: 'user' });
  const members = [{ username: 'ann', project_role: 'user' }];
  await server.call('/api/projects/main/add_members', { members });
  const { body: ann } = await server.call('/api/users/get_user', { username: 'ann' });
  const list = (token?: string, project = 'main') =>
    server.call(`/api/project/${project}/fleets/${view?.fleet.name}/jobs`, undefined, {
      method: 'GET',
      ...(token === undefined ? {} : { token }),
    });

  const seen = await list();
  expect(endpoints['fleets.list_jobs'].response.parse(seen.body)).toEqual(seen.body);
  expect(seen.body).toEqual([
    {
      instance_id: instanceId,
      run_id: run.body.id,
      run_name: 'secret',
      project_name: 'lab',
      blocks: 1,
    },
  ]);
  expect((await list(ann.creds.token)).body).toMatchObject([
    { instance_id: instanceId, run_id: null, run_name: HIDDEN_RUN, project_name: null },
  ]);
  expect((await list(ann.creds.token, 'lab')).status).toBe(403);
  expect((await list(undefined, 'lab')).body.detail[0].code).toBe('resource_not_exists');
});
