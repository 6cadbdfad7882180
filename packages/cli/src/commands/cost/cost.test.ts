import { expect, test } from 'vitest';
import { startFakeServer } from '../../testing/fake-server.ts';
import { runCommand, serverEnv } from '../../testing/run-command.ts';

const AMOUNTS = { gpu_hours: 6.5, unpriced_hours: 0, idle_cost: 0, idle_gpu_hours: 0 };
const NONE = { fleet_name: null, gpu: null, tag: null };
const ROW = { day: null, project_name: 'main', username: 'ann', run_name: 'train' };
const REPORT = {
  since: '2026-10-25T16:00:00Z',
  until: '2026-11-24T16:00:00Z',
  by: 'run',
  total: 12.5,
  idle_total: 0,
  rows: [{ ...ROW, ...NONE, cost: 12.5, hours: 3.25, ...AMOUNTS }],
};

test('costs are listed with their sum, and asked for with the period and the group', async () => {
  const fake = await startFakeServer({ 'GET /api/cost': { json: REPORT } });
  const env = serverEnv(fake.url);
  const { out } = await runCommand(['cost', '--since', '30d'], { env });
  expect(out).toMatch(
    / RUN +USER +PROJECT +HOURS +GPU HOURS +COST\n train +ann +main +3.25 +6.5 +\$12.5\n TOTAL +\$12.5/,
  );
  await runCommand(['cost', '--by', 'project'], { env });
  const asked = fake.requests.filter(({ path }) => path === '/api/cost');
  const [first, second] = asked.map(({ query }) => Object.fromEntries(query));
  expect(first).toEqual({ project_name: 'main', since: '2026-10-25T16:00:00.000Z', by: 'run' });
  expect(second).not.toHaveProperty('project_name');
  const json = await runCommand(['cost', '--json'], { env });
  expect(JSON.parse(json.out)).toEqual(REPORT);
});

test('an unknown price is no amount, and idle machines stand beside their fleet', async () => {
  const fleet = { ...ROW, ...NONE, username: null, run_name: null, project_name: null };
  const rows = [
    { ...fleet, fleet_name: 'lab', cost: 7, hours: 6, ...AMOUNTS, idle_cost: 21 },
    { ...fleet, fleet_name: 'ssh', cost: null, hours: 4, ...AMOUNTS, unpriced_hours: 4 },
    { ...fleet, fleet_name: 'mix', cost: 1, hours: 4, ...AMOUNTS, unpriced_hours: 2 },
  ];
  const report = { ...REPORT, by: 'fleet', total: 8, idle_total: 21, rows };
  const fake = await startFakeServer({ 'GET /api/cost': { json: report } });
  const env = serverEnv(fake.url);
  const { out } = await runCommand(['cost', '--by', 'fleet'], { env });
  expect(out).toMatch(
    / lab +6 +6.5 +\$7 +\$21\n ssh +4 +6.5 +unknown *\n mix +4 +6.5 +\$1 \+ unknown/,
  );
  expect(out).toMatch(/ TOTAL +\$8 \+ unknown +\$21\n\nunknown: the machines have no price/);
  await runCommand(['cost', '--by', 'tag:team'], { env });
  expect(Object.fromEntries(fake.requests.at(-1)?.query ?? [])).toMatchObject({
    by: 'tag',
    tag: 'team',
  });
  const { code, err } = await runCommand(['cost', '--by', 'planet'], { env });
  expect([code, err]).toEqual([2, expect.stringContaining('tag:KEY')]);
});

test('a sum of unknown costs alone is unknown, not $0', async () => {
  const row = { ...ROW, ...NONE, ...AMOUNTS, cost: null, hours: 4, unpriced_hours: 4 };
  const fake = await startFakeServer({
    'GET /api/cost': { json: { ...REPORT, total: 0, rows: [row] } },
  });
  const { out } = await runCommand(['cost'], { env: serverEnv(fake.url) });
  expect(out).toMatch(/ TOTAL +unknown\n/);
});

test('a server without this endpoint is named as that', async () => {
  const fake = await startFakeServer({});
  const { code, err } = await runCommand(['cost'], { env: serverEnv(fake.url) });
  expect([code, err]).toEqual([1, expect.stringContaining('This server does not sum up costs')]);
});
