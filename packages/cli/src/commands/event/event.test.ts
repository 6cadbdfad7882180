import { expect, test } from 'vitest';
import {
  type FakeServer,
  type ReceivedRequest,
  startFakeServer,
} from '../../testing/fake-server.ts';
import { runCommand, serverEnv } from '../../testing/run-command.ts';

function event(n: number): object {
  return {
    id: `e${n}`,
    message: `Event ${n}`,
    recorded_at: new Date(Date.UTC(2026, 10, 24, 12, 0, n)).toISOString(),
    actor_user: n === 1 ? 'admin' : null,
    targets: [
      { type: 'instance', name: 'pool-0', project_name: 'infra' },
      { type: 'job', name: 'a-0-0', project_name: 'main' },
    ],
  };
}

async function serving(list: (request: ReceivedRequest) => object[]): Promise<FakeServer> {
  return startFakeServer({
    'POST /api/events/list': (request) => ({ json: list(request) }),
    'POST /api/projects/main/get': { json: { project_id: 'p-id' } },
    'POST /api/project/main/runs/get': ({ body }) => ({
      json: { id: `id-of-${(body as { run_name: string }).run_name}` },
    }),
    'POST /api/project/other/fleets/get': { json: { id: 'foreign-fleet' } },
  });
}

const queries = (fake: FakeServer) =>
  fake.requests.filter((r) => r.path === '/api/events/list').map((r) => r.body);

test('the last events of the project are printed, oldest first', async () => {
  const fake = await serving(() => [event(2), event(1)]);
  const { out } = await runCommand(['event'], { env: serverEnv(fake.url) });
  expect(out.split('\n')).toEqual([
    '[2026-11-24 12:00:01 UTC] [👤admin] [instance infra/pool-0, job a-0-0] Event 1',
    '[2026-11-24 12:00:02 UTC] [instance infra/pool-0, job a-0-0] Event 2',
    '',
  ]);
  expect(queries(fake)).toEqual([{ within_projects: ['p-id'], limit: 100, ascending: false }]);
});

test('--since reads page after page', async () => {
  const all = Array.from({ length: 150 }, (_, i) => event(i));
  const fake = await serving(({ body }) =>
    (body as { prev_id: string | null }).prev_id === null ? all.slice(0, 100) : all.slice(100),
  );
  const argv = ['event', 'list', '--since', '2026-11-24T11:00:00Z', '--within-run', 'a'];
  const { out } = await runCommand(argv, { env: serverEnv(fake.url) });
  expect(out.trimEnd().split('\n')).toHaveLength(150);
  const common = { within_runs: ['id-of-a'], limit: 100, ascending: true };
  expect(queries(fake)).toEqual([
    { ...common, prev_recorded_at: '2026-11-24T11:00:00.000Z', prev_id: null },
    { ...common, prev_recorded_at: '2026-11-24T12:01:39.000Z', prev_id: 'e99' },
  ]);
});

test('names of targets become ids, also those of other projects', async () => {
  const fake = await serving(() => []);
  const argv = ['event', '--target-run', 'a', '--target-run', 'b', '--include-target-type', 'job'];
  await runCommand(argv, { env: serverEnv(fake.url) });
  await runCommand(['event', '--within-fleet', 'other/f'], { env: serverEnv(fake.url) });
  expect(queries(fake)).toMatchObject([
    { target_runs: ['id-of-a', 'id-of-b'], include_target_types: ['job'] },
    { within_fleets: ['foreign-fleet'] },
  ]);
});

test('--watch prints each event once until Ctrl-C', async () => {
  const fake = await serving(() => [event(1), event(2)]);
  const { out, code } = await runCommand(['event', '-w', '--json'], {
    env: serverEnv(fake.url),
    onOutput: (text, pressCtrlC) => {
      if (text.includes('Event 2')) pressCtrlC();
    },
  });
  expect(code).toBe(0);
  expect(
    out
      .trimEnd()
      .split('\n')
      .map((l) => (JSON.parse(l) as { id: string }).id),
  ).toEqual(['e1', 'e2']);
});

test('--watch that begins while the server is restarted waits for it', async () => {
  const refused = new Set<string>();
  const restarted =
    (answer: (request: ReceivedRequest) => object) => (request: ReceivedRequest) => {
      if (refused.has(request.path)) return { json: answer(request) };
      refused.add(request.path);
      return { status: 500, json: { detail: 'the database is away' } };
    };
  const fake = await startFakeServer({
    'POST /api/projects/list': restarted(() => [{ project_name: 'main' }]),
    'POST /api/projects/main/get': { json: { project_id: 'p-id' } },
    'POST /api/events/list': restarted(() => [event(1)]),
  });
  const { DSTACK_PROJECT: _, ...env } = serverEnv(fake.url);
  const { out, err, code } = await runCommand(['event', '-w', '--json'], {
    env,
    onOutput: (text, pressCtrlC) => {
      if (text.includes('Event 1')) pressCtrlC();
    },
  });
  expect([code, [...refused].length]).toEqual([0, 2]);
  expect(JSON.parse(out)).toMatchObject({ id: 'e1' });
  expect(err).toContain('trying again (the database is away)');
});

test('export prints every event as JSON, oldest first, page after page', async () => {
  const all = Array.from({ length: 230 }, (_, i) => event(i));
  const fake = await serving(({ body }) => {
    const { prev_id: id } = body as { prev_id: string | null };
    const from = id === null ? 0 : Number(id.slice(1)) + 1;
    return all.slice(from, from + 100);
  });
  const argv = ['event', 'export', '--within-run', 'a', '--include-target-type', 'job'];
  const { out, code } = await runCommand(argv, { env: serverEnv(fake.url) });
  expect(code).toBe(0);
  const lines = out.trimEnd().split('\n');
  expect(lines.map((line) => (JSON.parse(line) as { id: string }).id)).toEqual(
    all.map((_, n) => `e${n}`),
  );
  const filters = { within_runs: ['id-of-a'], include_target_types: ['job'] };
  expect(queries(fake)).toEqual(
    [null, 'e99', 'e199'].map((id) => ({
      ...{ ...filters, limit: 100, ascending: true, prev_id: id },
      prev_recorded_at: id === null ? null : expect.any(String),
    })),
  );
});

test('export keeps within --since and --until', async () => {
  const all = Array.from({ length: 20 }, (_, i) => event(i));
  const fake = await serving(() => all);
  const bounds = ['--since', '2026-11-24T11:00:00Z', '--until', '2026-11-24T12:00:05Z'];
  const { out } = await runCommand(['event', 'export', ...bounds], { env: serverEnv(fake.url) });
  expect(out.trimEnd().split('\n')).toHaveLength(6);
  expect(queries(fake)).toMatchObject([{ prev_recorded_at: '2026-11-24T11:00:00.000Z' }]);
});

test.each([
  [['event', 'export', '--until', 'tomorrow']],
  [['event', 'export', '--include-target-type', 'nonsense']],
  [['event', '--target-run', 'a', '--target-fleet', 'f']],
  [['event', '--include-target-type', 'nonsense']],
  [['event', '--since', 'yesterday']],
])('%j is wrong usage', async (argv) => {
  const fake = await serving(() => []);
  expect((await runCommand(argv, { env: serverEnv(fake.url) })).code).toBe(2);
});
