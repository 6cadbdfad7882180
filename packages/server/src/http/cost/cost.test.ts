import type { Change, PricedInterval } from '@dstack/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestServer, type TestServer } from '../testing/test-server.ts';

const HOUR = 3_600_000_000;

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
  const project = await server.store.projects.byName('main');
  const user = await server.store.users.byName('admin');
  if (!project || !user) throw new Error('there is no project');
  // The clock of the server begins here.
  const until = Date.parse('2026-11-24T10:00:00Z') * 1000;
  const machine = {
    ...{ projectId: project.id, fleetId: 'f', fleetName: 'lab', instanceId: 'i', price: 7_000_000 },
    ...{ blocks: 2, totalBlocks: 2, gpus: 2, gpu: 'H100', since: until - 4 * HOUR, until },
  };
  const run = { id: 'r', name: 'train', userId: user.id, tags: { team: 'vision' } };
  const intervals: PricedInterval[] = [
    { ...machine, subjectId: 'i', run: null },
    { ...machine, subjectId: 'j', run, blocks: 1, since: until - 2 * HOUR },
    // On a machine of another project, without a price.
    {
      ...machine,
      subjectId: 'k',
      fleetId: 'g',
      fleetName: 'old',
      run,
      price: null,
      gpus: 0,
      gpu: '',
    },
  ];
  const changes = intervals.map((interval): Change => ({ type: 'ledger.append', interval }));
  expect(await server.store.engine.apply(changes)).toBe('applied');
});
afterAll(() => server.close());

const read = (query = '', token?: string) =>
  server.call(`/api/cost${query}`, undefined, {
    method: 'GET',
    ...(token === undefined ? {} : { token }),
  });

describe('costs', () => {
  it('are those of jobs, by their share of machines', async () => {
    const { status, body } = await read('?project_name=main');
    expect(status).toBe(200);
    expect(body).toMatchObject({ by: 'run', total: 7, idle_total: 21 });
    expect(body.rows).toEqual([
      {
        ...{ day: null, project_name: 'main', username: 'admin', run_name: 'train' },
        ...{ fleet_name: null, gpu: null, tag: null, cost: 7, hours: 6, gpu_hours: 2 },
        ...{ unpriced_hours: 4, idle_cost: 0, idle_gpu_hours: 0 },
      },
    ]);
    expect((await read('?by=user')).body.rows).toMatchObject([{ username: 'admin', cost: 7 }]);
  });

  it('are grouped by fleet, GPU, tag and project, with what was idle', async () => {
    expect((await read('?by=fleet')).body.rows).toMatchObject([
      { fleet_name: 'lab', cost: 7, idle_cost: 21, gpu_hours: 2, idle_gpu_hours: 6 },
      { fleet_name: 'old', cost: null, unpriced_hours: 4, idle_cost: 0 },
    ]);
    expect((await read('?by=gpu')).body.rows).toMatchObject([
      { gpu: 'H100', cost: 7, idle_cost: 21 },
      { gpu: '', cost: null },
    ]);
    expect((await read('?by=tag&tag=team')).body.rows).toMatchObject([{ tag: 'vision', cost: 7 }]);
    expect((await read('?by=tag&tag=other')).body.rows).toMatchObject([{ tag: '', cost: 7 }]);
    expect((await read('?by=project')).body.rows).toMatchObject([{ cost: 7, idle_cost: 21 }]);
  });

  it('need the key of a tag for groups by tag, and for no others', async () => {
    expect(await read('?by=tag')).toMatchObject({ status: 400 });
    for (const query of ['?tag=team', '?by=user&tag=team']) {
      const { status, body } = await read(query);
      expect([status, JSON.stringify(body)]).toEqual([400, expect.stringContaining('by=tag')]);
    }
  });

  it("contain nothing of projects that are not the caller's", async () => {
    await server.call('/api/users/create', { username: 'stranger', global_role: 'user' });
    const found = await server.call('/api/users/get_user', { username: 'stranger' });
    for (const query of ['', '?project_name=main', '?project_name=nothing', '?by=fleet']) {
      const { status, body } = await read(query, found.body.creds.token);
      expect([status, body.rows, body.total, body.idle_total]).toEqual([200, [], 0, 0]);
    }
    expect((await read('', 'no-such-token')).status).toBe(403);
  });

  it.each([
    ['?since=2026-11-24T00:00:00Z&until=2026-11-23T00:00:00Z', 400],
    ['?by=planet', 422],
    ['?by=tag', 400],
  ])('of %s are refused', async (query, status) => {
    expect((await read(query)).status).toBe(status);
  });
});
