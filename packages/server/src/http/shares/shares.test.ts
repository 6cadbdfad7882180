import { endpoints } from '@dstack/contract/api';
import type { Share } from '@dstack/contract/wire';
import type { Change } from '@dstack/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { insertInstances } from '../testing/services.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';

let server: TestServer;
beforeEach(async () => {
  server = await startTestServer();
});
afterEach(() => server.close());

async function list(project: string, token?: string): Promise<readonly Share[]> {
  const answer = await server.call(`/api/project/${project}/shares/list`, undefined, { token });
  expect(answer.status).toBe(200);
  expect(endpoints['shares.list'].response.parse(answer.body)).toEqual(answer.body);
  return answer.body.shares;
}

async function submit(name: string, project: string, set: object): Promise<void> {
  const configuration = { type: 'task', commands: ['true'], retry: true };
  const run_spec = { run_name: name, configuration, profile: { name: 'default' } };
  const { body } = await server.call(`/api/project/${project}/runs/apply`, {
    ...{ plan: { run_spec }, force: false },
  });
  const [job] = await server.store.jobs.ofRun(body.id);
  const { id = '', version = 0 } = job ?? {};
  const change = { type: 'job.update', id, version, set } as Change;
  expect(await server.store.engine.apply([change])).toBe('applied');
}

const setWeight = (project_name: string, weight: number, more: object = {}) =>
  server.call('/api/quotas/apply', { quotas: [{ project_name, weight, ...more }] });

/** `lab` imports the fleet of `main`, in which admin uses two GPUs; a run of each project waits. */
async function sharedPool(): Promise<void> {
  const [instanceId = ''] = await insertInstances(server, 1);
  const view = await server.store.instances.byId(instanceId);
  await server.call('/api/projects/create', { project_name: 'lab' });
  await server.call('/api/project/main/exports/create', {
    name: 'pool',
    importer_projects: ['lab'],
    exported_fleets: [view?.fleet.name ?? ''],
  });
  await setWeight('main', 2);
  const admin = await server.store.users.byName('admin');
  const charge = {
    ...{
      userId: admin?.id ?? '',
      fleetId: view?.instance.fleetId ?? '',
      claimedAt: 1,
      amounts: {},
    },
    share: { rate: 2_000_000, weights: {} },
  };
  await submit('present', 'main', { instanceId, claimedBlocks: 1, charge });
  const waits = { refusal: { kind: 'no-fleets' }, waitingSince: 1 };
  await submit('first', 'main', waits);
  await submit('secret', 'lab', waits);
}

async function member(username: string, project: string): Promise<string> {
  await server.call('/api/users/create', { username, global_role: 'user' });
  const user = await server.call('/api/users/get_user', { username });
  const members = [{ username, project_role: 'user' }];
  await server.call(`/api/projects/${project}/add_members`, { members });
  return user.body.creds.token;
}

describe('the shares of a pool', () => {
  it('are what projects and users have used for their weights, the next in line first', async () => {
    await sharedPool();
    const shares = await list('main');
    expect(shares).toEqual([
      {
        ...{ project_name: 'lab', user_name: null, weight: 1, usage: 0, rate: 0, ratio: 0 },
        next: 'secret',
      },
      expect.objectContaining({ project_name: 'lab', user_name: 'admin', next: 'secret' }),
      expect.objectContaining({ project_name: 'main', user_name: null, weight: 2, rate: 2 }),
      expect.objectContaining({ project_name: 'main', user_name: 'admin', weight: 1, rate: 2 }),
    ]);
    expect(shares[2]?.ratio).toBeCloseTo(1, 1);
    expect(shares[3]?.ratio).toBeCloseTo(2, 1);
    expect(shares[2]?.next).toBe('first');
  });

  it('show projects that the caller may not see without names, users and runs', async () => {
    await sharedPool();
    const shares = await list('main', await member('mia', 'main'));
    expect(shares.map(({ project_name, user_name }) => [project_name, user_name])).toEqual([
      [null, null],
      ['main', null],
      ['main', 'admin'],
    ]);
    expect(JSON.stringify(shares)).not.toMatch(/secret|lab/);
  });

  it('are empty without a weight, and for members of the project only', async () => {
    expect(await list('main')).toEqual([]);
    const { status } = await server.call('/api/project/absent/shares/list');
    expect(status).toBe(404);
    await sharedPool();
    const token = await member('lea', 'lab');
    const refused = await server.call('/api/project/main/shares/list', undefined, { token });
    expect(refused.status).toBe(403);
  });

  it('change the order of the queue', async () => {
    await sharedPool();
    const { body } = await server.call('/api/project/main/queue/list', {});
    expect(body.runs.map(({ run }: { run: string }) => run)).toEqual(['secret', 'first']);
  });
});
