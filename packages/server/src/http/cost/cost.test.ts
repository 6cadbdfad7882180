import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestServer, type TestServer } from '../testing/test-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
  const configuration = { type: 'task', commands: ['true'] };
  const run_spec = { run_name: 'train', configuration, profile: { name: 'default' } };
  await server.call('/api/project/main/runs/apply', { plan: { run_spec }, force: false });
  const project = await server.store.projects.byName('main');
  const view = project && (await server.store.runs.byName(project.id, 'train'));
  const job = view?.jobs[0];
  if (!job) throw new Error('the run was not submitted');
  const provisioningData = { price: 3.5, backend: 'aws' } as never;
  const submittedAt = job.submittedAt - 2 * 3_600_000_000;
  await server.store.engine.apply([
    {
      type: 'job.update',
      id: job.id,
      version: job.version,
      set: { provisioningData, submittedAt },
    },
  ]);
});
afterAll(() => server.close());

const read = (query = '', token?: string) =>
  server.call(`/api/cost${query}`, undefined, {
    method: 'GET',
    ...(token === undefined ? {} : { token }),
  });

describe('costs', () => {
  it('are those of jobs on machines with a price', async () => {
    const { status, body } = await read('?project_name=main');
    expect(status).toBe(200);
    expect(body).toMatchObject({ by: 'run', total: 7 });
    expect(body.rows).toEqual([
      { day: null, project_name: 'main', username: 'admin', run_name: 'train', cost: 7, hours: 2 },
    ]);
    expect((await read('?by=user')).body.rows).toMatchObject([{ username: 'admin', cost: 7 }]);
  });

  it("contain nothing of projects that are not the caller's", async () => {
    await server.call('/api/users/create', { username: 'stranger', global_role: 'user' });
    const found = await server.call('/api/users/get_user', { username: 'stranger' });
    for (const query of ['', '?project_name=main', '?project_name=nothing']) {
      const { status, body } = await read(query, found.body.creds.token);
      expect([status, body.rows, body.total]).toEqual([200, [], 0]);
    }
    expect((await read('', 'no-such-token')).status).toBe(403);
  });

  it.each([
    ['?since=2026-11-24T00:00:00Z&until=2026-11-23T00:00:00Z', 400],
    ['?by=planet', 422],
  ])('of %s are refused', async (query, status) => {
    expect((await read(query)).status).toBe(status);
  });
});
