import type { InstanceRecord } from '@dstack/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestServer, type TestServer } from '../testing/test-server.ts';
import { gpuUse, instanceUse } from './capacity-use.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.close());

const read = (query = '', token?: string) =>
  server.call(`/api/overview${query}`, undefined, {
    method: 'GET',
    ...(token === undefined ? {} : { token }),
  });

async function newUser(username: string): Promise<string> {
  await server.call('/api/users/create', { username, global_role: 'user' });
  return (await server.call('/api/users/get_user', { username })).body.creds.token;
}

const submit = (project: string, name: string) =>
  server.call(`/api/project/${project}/runs/apply`, {
    plan: {
      run_spec: {
        run_name: name,
        configuration: { type: 'task', name, commands: ['true'] },
        profile: { name: 'default' },
      },
    },
    force: false,
  });

describe('the overview', () => {
  it('is empty in a new installation, and then contains what is there', async () => {
    const empty = await read();
    expect(empty.status).toBe(200);
    expect(empty.body).toEqual({
      runs: [],
      instances: { total: 0, in_use: 0, unreachable: 0, price: 0, unpriced: 0 },
      gpus: [],
      failures: [],
      has_fleets: false,
      has_runs: false,
    });
    const spec = {
      configuration: { type: 'fleet', name: 'pool', nodes: '0..2' },
      profile: { name: 'default' },
    };
    await server.call('/api/project/main/fleets/apply', { plan: { spec }, force: false });
    expect((await submit('main', 'train')).status).toBe(200);
    const { body } = await read();
    expect(body).toMatchObject({ has_fleets: true, has_runs: true });
    expect(body.runs).toEqual([{ status: 'submitted', count: 1 }]);
  });

  it('lists failed runs as the list of runs has them', async () => {
    await submit('main', 'broken');
    const view = await server.store.runs.byName((await mainProject()).id, 'broken');
    if (view === null) throw new Error('the run was not submitted');
    const { id, version } = view.run;
    await server.store.engine.apply([
      {
        type: 'run.update',
        id,
        version,
        set: { status: 'failed', terminationReason: 'job_failed' },
      },
    ]);
    const { body } = await read('?project_name=main');
    expect(body.failures).toMatchObject([{ id, project_name: 'main', status: 'failed' }]);
  });

  it("contains nothing of projects that are not the caller's", async () => {
    const token = await newUser('stranger');
    for (const query of ['', '?project_name=main', '?project_name=nothing']) {
      const { status, body } = await read(query, token);
      expect(status).toBe(200);
      expect(body).toMatchObject({ runs: [], failures: [], has_runs: false, has_fleets: false });
    }
    const none = await server.call('/api/overview', undefined, { method: 'GET', token: null });
    expect(none.status).toBe(401);
  });
});

async function mainProject() {
  const [project] = await server.store.projects.byNames(['main']);
  if (project === undefined) throw new Error('there is no project main');
  return project;
}

describe('the use of GPUs', () => {
  const h100 = { name: 'H100', memory_mib: 81_920 };
  const instance = (gpus: readonly object[], more: Partial<InstanceRecord>) =>
    ({
      price: 2,
      busyBlocks: 0,
      totalBlocks: 1,
      unreachable: false,
      provisioningData: { instance_type: { resources: { gpus } } },
      ...more,
    }) as unknown as InstanceRecord;

  it('counts the share of the blocks that jobs have, by kind', () => {
    const instances = [
      instance(Array(8).fill(h100), { totalBlocks: 4, busyBlocks: 1 }),
      instance([h100], { busyBlocks: 1, unreachable: true }),
      instance([{ name: 'T4', memory_mib: 16_384 }], { totalBlocks: null }),
      instance([], { provisioningData: null }),
    ];
    expect(gpuUse(instances)).toEqual([
      { ...h100, total: 9, in_use: 2, unreachable: 1 },
      { name: 'T4', memory_mib: 16_384, total: 1, in_use: 0, unreachable: 0 },
    ]);
    expect(instanceUse(instances)).toEqual({
      ...{ total: 4, in_use: 2, unreachable: 1 },
      ...{ price: 8, unpriced: 0 },
    });
  });

  it('counts the instances whose price is not known', () => {
    const instances = [instance([], {}), instance([], { price: 0 })];
    expect(instanceUse(instances)).toMatchObject({ price: 2, unpriced: 1 });
  });
});
