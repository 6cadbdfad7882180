import { endpoints } from '@dstack/contract/api';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startTestServer, type TestServer } from '../testing/test-server.ts';

let server: TestServer;
let alice: string;
beforeAll(async () => {
  server = await startTestServer();
  await server.call('/api/users/create', { username: 'alice', global_role: 'user' });
  alice = (await server.call('/api/users/get_user', { username: 'alice' })).body.creds.token;
});
afterAll(() => server.close());

const set = (body: object, token = server.token) =>
  server.call('/api/project/main/retention/set', body, { token });
const get = (path: string, token = server.token) =>
  server.call(path, undefined, { method: 'GET', token });
const join = (project_role: string) =>
  server.call('/api/projects/main/add_members', { members: [{ username: 'alice', project_role }] });
const DAY = 86_400;

it('the usage of the server is for its admins, and has the form of the contract', async () => {
  const { status, body } = await get('/api/server/usage');
  expect(status).toBe(200);
  expect(endpoints['server.usage'].response.parse(body)).toEqual(body);
  expect(body).toMatchObject({ deletes_from: null, due_runs: 0 });
  expect(body.kinds.find((one: { kind: string }) => one.kind === 'users').rows).toBe(2);
  expect((await get('/api/server/usage', alice)).status).toBe(403);
});

it('a project keeps things as long as the server until its admins shorten it', async () => {
  await join('admin');
  const path = '/api/project/main/retention';
  expect((await get(path, alice)).body).toEqual({
    ...{ runs_seconds: null, logs_seconds: null, events_seconds: null, metrics_seconds: null },
    ...{ effective_runs_seconds: 365 * DAY, effective_logs_seconds: 30 * DAY },
    ...{ effective_events_seconds: 30 * DAY, effective_metrics_seconds: 90 * DAY },
  });
  const none = { logs_seconds: null, metrics_seconds: null };
  const shorter = { runs_seconds: 10 * DAY, events_seconds: 5 * DAY, ...none };
  expect((await set(shorter, alice)).body).toEqual({
    ...shorter,
    ...{ effective_runs_seconds: 10 * DAY, effective_logs_seconds: 10 * DAY },
    ...{ effective_events_seconds: 5 * DAY, effective_metrics_seconds: 10 * DAY },
  });
  expect((await get(path, alice)).body.runs_seconds).toBe(10 * DAY);
});

it('only an admin of the server lets a project keep things for longer', async () => {
  const longer = { runs_seconds: null, logs_seconds: 60 * DAY };
  const refused = await set(longer, alice);
  expect(refused.status).toBe(400);
  expect(JSON.stringify(refused.body)).toContain('DSTACK_SERVER_LOGS_TTL_SECONDS');
  expect((await set(longer)).body.effective_logs_seconds).toBe(60 * DAY);
  for (const [kind, variable] of [
    ['events', 'DSTACK_SERVER_EVENTS_TTL_SECONDS'],
    ['metrics', 'DSTACK_SERVER_METRICS_HOURS_TTL_SECONDS'],
  ] as const) {
    const wanted = { [`${kind}_seconds`]: 300 * DAY };
    expect(JSON.stringify((await set(wanted, alice)).body)).toContain(variable);
    expect((await set(wanted)).body[`effective_${kind}_seconds`]).toBe(300 * DAY);
  }
});

it('members who are not admins may read it only', async () => {
  await join('user');
  expect((await get('/api/project/main/retention', alice)).status).toBe(200);
  expect((await set({ runs_seconds: null, logs_seconds: null }, alice)).status).toBe(403);
  expect((await set({ runs_seconds: 5, logs_seconds: null })).status).toBe(422);
});
