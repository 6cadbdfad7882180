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
  const { out } = await runCommand(['event'], { env: { ...serverEnv(fake.url), TZ: 'UTC' } });
  expect(out.split('\n').map((line) => line.replace(/^\[[^\]]*\] /, ''))).toEqual([
    '[👤admin] [instance infra/pool-0, job a-0-0] Event 1',
    '[instance infra/pool-0, job a-0-0] Event 2',
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

test.each([
  [['event', '--target-run', 'a', '--target-fleet', 'f']],
  [['event', '--include-target-type', 'nonsense']],
  [['event', '--since', 'yesterday']],
])('%j is wrong usage', async (argv) => {
  const fake = await serving(() => []);
  expect((await runCommand(argv, { env: serverEnv(fake.url) })).code).toBe(2);
});
