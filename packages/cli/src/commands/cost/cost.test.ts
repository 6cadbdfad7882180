import { expect, test } from 'vitest';
import { startFakeServer } from '../../testing/fake-server.ts';
import { runCommand, serverEnv } from '../../testing/run-command.ts';

const ROW = { day: null, project_name: 'main', username: 'ann', run_name: 'train' };
const REPORT = {
  since: '2026-10-25T16:00:00Z',
  until: '2026-11-24T16:00:00Z',
  by: 'run',
  total: 12.5,
  rows: [{ ...ROW, cost: 12.5, hours: 3.25 }],
};

test('costs are listed with their sum, and asked for with the period and the group', async () => {
  const fake = await startFakeServer({ 'GET /api/cost': { json: REPORT } });
  const env = serverEnv(fake.url);
  const { out } = await runCommand(['cost', '--since', '30d'], { env });
  expect(out).toMatch(
    / RUN +USER +PROJECT +HOURS +COST\n train +ann +main +3.25 +\$12.5\n TOTAL +\$12.5/,
  );
  await runCommand(['cost', '--by', 'project'], { env });
  const [first, second] = fake.requests.map(({ query }) => Object.fromEntries(query));
  expect(first).toEqual({ project_name: 'main', since: '2026-10-25T16:00:00.000Z', by: 'run' });
  expect(second).not.toHaveProperty('project_name');
  const json = await runCommand(['cost', '--json'], { env });
  expect(JSON.parse(json.out)).toEqual(REPORT);
});

test('a server without this endpoint is named as that', async () => {
  const fake = await startFakeServer({});
  const { code, err } = await runCommand(['cost'], { env: serverEnv(fake.url) });
  expect([code, err]).toEqual([1, expect.stringContaining('This server does not sum up costs')]);
});
