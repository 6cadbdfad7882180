import type { Run } from '@dstack/contract/wire';
import { expect, test } from 'vitest';
import { type FakeServer, startFakeServer } from '../../testing/fake-server.ts';
import { parseCommand } from '../../testing/parse-command.ts';
import { recordedAnswer } from '../../testing/recordings.ts';
import { runCommand, serverEnv } from '../../testing/run-command.ts';
import { declarePs, type PsOptions } from './ps.ts';

const NOW = Date.parse('2026-11-24T15:30:00Z');

async function serving(...answers: unknown[]): Promise<FakeServer> {
  const left = [...answers];
  const route = () => ({ json: left.length > 1 ? left.shift() : left[0] });
  return startFakeServer({ 'POST /api/runs/list': route });
}

async function recordedRuns(): Promise<Run[]> {
  const list = await recordedAnswer<(Run & { _more?: number })[]>('ps-verbose', '/api/runs/list');
  return list.filter((run) => run._more === undefined);
}

test.each<[string[], Partial<PsOptions>]>([
  [['ps'], {}],
  [['ps', '-a', '-v'], { all: true, verbose: true }],
  [['ps', '-n', '5'], { last: 5 }],
  [['ps', '--members', 'sweep'], { members: 'sweep' }],
  [['ps', '--watch'], { watch: true }],
  [['ps', '--json'], { format: 'json' }],
  [['ps', '--format', 'json'], { format: 'json' }],
  [['ps', '--format', 'plain'], {}],
  [['ps', '-o', 'json'], { format: 'json' }],
  [['ps', '-o', 'yaml'], { format: 'yaml' }],
  [['ps', '--output=name'], { format: 'name' }],
  [['ps', '-o', 'wide'], { verbose: true }],
])('%j means %j', async (argv, expected) => {
  let options: PsOptions | null = null;
  const keep = async (given: PsOptions): Promise<void> => {
    options = given;
  };
  await parseCommand((program, cli) => declarePs(program, cli, keep), argv);
  const none = {
    all: false,
    verbose: false,
    watch: false,
    last: null,
    members: null,
    format: 'table',
  };
  expect(options).toEqual({ ...none, ...expected });
});

test.each([
  [['ps', '-n', '101']],
  [['ps', '-n', 'x']],
  [['ps', '--format', 'xml']],
  [['ps', '-o', 'xml']],
  [['ps', '--json', '-o', 'yaml']],
  [['ps', '-w', '-o', 'name']],
])('%j is refused', async (argv) => {
  await expect(parseCommand(declarePs, argv)).rejects.toThrow();
});

test('without a terminal the lines of the list stay whole', async () => {
  const fake = await serving(await recordedRuns());
  const { out, err, code } = await runCommand(['ps', '-a'], { env: serverEnv(fake.url), now: NOW });
  expect(out).toBe(
    [
      ' NAME    BACKEND            GPU  PRICE  STATUS       SUBMITTED',
      ' add080  ssh (10.213.0.11)  -    $0     exited (0)   18 mins ago',
      ' p02df9  ssh (10.213.0.11)  -    $0     exited (0)   21 mins ago',
      ' n02df9  -                  -    -      no capacity  22 mins ago',
      ' v02df9  ssh (10.213.0.11)  -    $0     stopped      22 mins ago',
      '',
    ].join('\n'),
  );
  expect([err, code]).toEqual(['', 0]);
  expect(fake.bodyOf('/api/runs/list')).toMatchObject({
    project_name: 'main',
    only_active: false,
    include_jobs: true,
    job_submissions_limit: 1,
    limit: 100,
  });
});

test('on a terminal statuses are coloured, and a narrow terminal hides columns', async () => {
  const fake = await serving(await recordedRuns());
  const { out } = await runCommand(['ps', '-a'], {
    env: serverEnv(fake.url),
    terminal: 40,
    now: NOW,
  });
  expect(out).toContain('\u001b[38;5;136mno capacity\u001b[0m');
  expect(out).not.toContain('PRICE');
  expect(out).toContain('STATUS');
});

test('without an active run the latest run is shown', async () => {
  const [run] = await recordedRuns();
  const fake = await serving([], [run]);
  const { out } = await runCommand(['ps'], { env: serverEnv(fake.url), now: NOW });
  expect(out).toContain('add080');
  expect(fake.requests.map((r) => r.body)).toMatchObject([
    { only_active: true, limit: 100 },
    { only_active: false, limit: 1 },
  ]);
});

test('-n lists the last members of an array, as it lists the last runs', async () => {
  const fake = await serving(await recordedRuns());
  await runCommand(['ps', '--members', 'sweep', '-n', '5'], { env: serverEnv(fake.url) });
  const asked = { array: 'sweep', limit: 5, ascending: false };
  expect(fake.bodyOf('/api/runs/list')).toMatchObject(asked);
});

test('the members of an array are listed to the last, page after page', async () => {
  const [run] = await recordedRuns();
  const member = (index: number) => ({
    ...run,
    id: `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`,
    run_spec: { ...run?.run_spec, run_name: `sweep-${index}` },
  });
  const page = Array.from({ length: 100 }, (_, index) => member(index));
  const fake = await serving(page, [member(100)]);
  const { out } = await runCommand(['ps', '--members', 'sweep', '-o', 'name'], {
    env: serverEnv(fake.url),
  });
  expect(out.trimEnd().split('\n')).toHaveLength(101);
  expect(out).toContain('sweep-100');
  expect(fake.requests.map(({ body }) => body)).toMatchObject([
    { array: 'sweep', limit: 100, ascending: true, prev_run_id: null },
    { array: 'sweep', prev_run_id: page[99]?.id, prev_submitted_at: run?.submitted_at },
  ]);
});

test('--json prints the runs on one line', async () => {
  const runs = await recordedRuns();
  const fake = await serving(runs);
  const { out } = await runCommand(['ps', '--json', '-n', '4'], { env: serverEnv(fake.url) });
  expect(out.trimEnd()).not.toContain('\n');
  expect(JSON.parse(out)).toEqual({ project: 'main', runs });
});

test("the server's own backend is shown as local", async () => {
  const [run] = structuredClone(await recordedRuns());
  const placed = run?.jobs[0]?.job_submissions[0]?.job_provisioning_data;
  if (placed) placed.region = 'local';
  const fake = await serving([run]);
  const { out } = await runCommand(['ps'], { env: serverEnv(fake.url), now: NOW });
  expect(out).toContain(' local ');
  expect(out).not.toContain('ssh');
});

test('several jobs have rows of their own', async () => {
  const [run] = structuredClone(await recordedRuns());
  const first = run?.jobs[0];
  if (!run || !first) throw new Error('no job recorded');
  const second = structuredClone(first);
  second.job_spec.job_num = 1;
  run.jobs.push(second);
  const fake = await serving([run]);
  const { out } = await runCommand(['ps'], { env: serverEnv(fake.url), now: NOW });
  expect(out.split('\n').map((line) => line.slice(0, 11).trimEnd())).toEqual([
    ' NAME',
    ' add080',
    '    job=0',
    '    job=1',
    '',
  ]);
});

test('a run that waits for its schedule shows its next start', async () => {
  const [run] = structuredClone(await recordedRuns());
  if (!run) throw new Error('no run recorded');
  const next_triggered_at = '2026-11-25T08:00:00Z';
  Object.assign(run, { status: 'pending', status_message: 'pending', jobs: [], next_triggered_at });
  const { out } = await runCommand(['ps'], {
    env: serverEnv((await serving([run])).url),
    now: NOW,
  });
  expect(out).toContain('pending (next run 2026-11-25 08:00 UTC)');
});

test('a deleted run, which commands do not find any more, is marked', async () => {
  const [run] = structuredClone(await recordedRuns());
  if (!run) throw new Error('no run recorded');
  const ended = { status: 'failed', status_message: 'failed', jobs: [] };
  const { url } = await serving([Object.assign(run, ended, { deleted: true })]);
  const { out } = await runCommand(['ps', '-a'], { env: serverEnv(url), now: NOW });
  expect(out).toContain('failed, deleted');
});

test('only dev environments are shown as inactive', async () => {
  const [run] = structuredClone(await recordedRuns());
  const submission = run?.jobs[0]?.job_submissions.at(-1);
  if (!run || !submission) throw new Error('no job recorded');
  Object.assign(submission, { status: 'running', status_message: 'running', inactivity_secs: 90 });
  const shown = async () => {
    const fake = await serving([run]);
    return (await runCommand(['ps', '-v'], { env: serverEnv(fake.url), now: NOW })).out;
  };
  expect(await shown()).not.toContain('inactive');
  Object.assign(run.run_spec.configuration, { type: 'service' });
  expect(await shown()).not.toContain('inactive');
  Object.assign(run.run_spec.configuration, { type: 'dev-environment' });
  expect(await shown()).toContain('running (inactive for 1m 30s)');
});

test('-v prints below the table why runs wait, if the server can explain it', async () => {
  const [run] = structuredClone(await recordedRuns());
  if (!run) throw new Error('no run recorded');
  const waiting = (name: string): Run => ({
    ...structuredClone(run),
    status: 'submitted',
    run_spec: { ...run.run_spec, run_name: name },
  });
  const fake = await serving([waiting('one'), waiting('two'), { ...run, status: 'running' }]);
  const summary = 'Run one waits for a place: fleet lab is full.';
  fake.set('GET /api/project/main/explain/runs/one', { json: { summary, waiting_for: 'busy' } });
  const env = serverEnv(fake.url);
  const { out } = await runCommand(['ps', '-v'], { env, now: NOW });
  expect(out.endsWith(`\n\n ${summary}\n`)).toBe(true);
  expect((await runCommand(['ps'], { env, now: NOW })).out).not.toContain(summary);
});

test('--watch needs a terminal', async () => {
  const fake = await serving([]);
  const { code, err } = await runCommand(['ps', '-w'], { env: serverEnv(fake.url) });
  expect(code).toBe(2);
  expect(err).toContain('--watch needs a terminal');
});

test('--watch draws until Ctrl-C', async () => {
  const fake = await serving(await recordedRuns());
  const { code, out } = await runCommand(['ps', '-w', '-a'], {
    env: serverEnv(fake.url),
    terminal: 100,
    onOutput: (text, pressCtrlC) => {
      if (text.includes('add080')) pressCtrlC();
    },
  });
  expect(code).toBe(0);
  expect(out).toContain('add080');
});

test('an unreachable server is reported with the next step', async () => {
  const fake = await serving([]);
  const { url } = fake;
  await fake.stop();
  const { code, err, out } = await runCommand(['ps'], { env: serverEnv(url) });
  expect([code, out]).toEqual([1, '']);
  expect(err).toBe(
    `error: Failed to connect to dstack server ${url}\n  why:  no program listens there (connection refused)\n  next: dstack server\n`,
  );
});

test('with a server and a token but no project, it lists the runs of the only one', async () => {
  const server = await serving([]);
  server.set('POST /api/projects/list', { json: [{ project_name: 'lab' }] });
  server.set('POST /api/projects/lab/get', { json: { project_name: 'lab' } });
  const env = { DSTACK_SERVER_URL: server.url, DSTACK_TOKEN: 't' };
  const result = await runCommand(['ps', '-a'], { env });
  expect([result.code, server.calls[0]]).toEqual([0, 'POST /api/projects/list']);
  expect(server.bodyOf('/api/runs/list')).toMatchObject({ project_name: 'lab' });
});

test('with -v the requests of services in the last minute stand below the table', async () => {
  const [run] = structuredClone(await recordedRuns());
  if (!run) throw new Error('no run recorded');
  Object.assign(run, { status: 'running', service: { url: '/x/', model: null } });
  const fake = await serving([run]);
  const figures = {
    ...{ run_id: run.id, run_name: 'add080', window_seconds: 60, requests: 120, errors: 6 },
    ...{ rps: 2, p50_ms: 8, p95_ms: 90, p99_ms: 1500, in_flight: 1, held: 0, partial: true },
  };
  const path = '/api/project/main/services/traffic/list';
  const env = serverEnv(fake.url);
  // A server of an earlier version does not report them.
  expect((await runCommand(['ps', '-v'], { env, now: NOW })).out).not.toContain('REQUESTS');
  fake.set(`POST ${path}`, { json: { services: [figures] } });
  const { out } = await runCommand(['ps', '-v'], { env, now: NOW });
  expect(out).toMatch(/ add080 +120 +6 \(5%\) +2\/s +8ms +90ms +1\.5s +1 +0\n Some figures may be/);
  expect(fake.bodyOf(path)).toEqual({ run_names: ['add080'] });
  expect((await runCommand(['ps'], { env, now: NOW })).out).not.toContain('REQUESTS');
});
