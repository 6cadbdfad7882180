import type { Run } from '@dstack/contract/wire';
import { expect, test } from 'vitest';
import { TailBuffer } from '../../runs/tail-buffer.ts';
import { withStatus } from '../../testing/apply-run.ts';
import {
  type Answer,
  type FakeServer,
  LOG_END,
  logEvent,
  type Route,
  startFakeServer,
  wireError,
} from '../../testing/fake-server.ts';
import { parseCommand } from '../../testing/parse-command.ts';
import { recordedAnswer } from '../../testing/recordings.ts';
import { runCommand, serverEnv } from '../../testing/run-command.ts';
import { declareLogs, type LogsOptions } from './logs.ts';

const BASE = '/api/project/main';

async function serving(routes: Readonly<Record<string, Route>>): Promise<FakeServer> {
  const run = await recordedAnswer<Run>('run-get-failed', `${BASE}/runs/get`);
  return startFakeServer({ [`POST ${BASE}/runs/get`]: { json: run }, ...routes });
}

function page(texts: readonly string[], next: string | null = null): Route {
  const logs = texts.map((text, i) => ({
    timestamp: `2026-11-24T15:00:0${i}Z`,
    log_source: 'stdout',
    message: Buffer.from(text).toString('base64'),
  }));
  return { json: { logs, external_url: null, next_token: next } };
}

const ANY = { statuses: [], path: null, slowMs: null, replica: null };

test.each<[string[], Partial<LogsOptions>]>([
  [['logs', 'r'], {}],
  [['logs', 'sweep', '--index', '7'], { run: 'sweep-7', index: 7 }],
  [['logs', 'r', '-d'], { diagnose: true }],
  [['logs', 'r', '-f', '-n', '5'], { follow: true, lines: 5 }],
  [['logs', '--job', '1', '--replica=2', 'r'], { job: 1, replica: 2 }],
  [['logs', 'r', '--since', '1h'], { since: '1h' }],
  [
    ['logs', 'r', '--grep', 'x y', '--timestamps', '--json', '--all-replicas'],
    { grep: 'x y', timestamps: true, json: true, allReplicas: true },
  ],
  [['logs', 'r', '--access'], { access: true }],
  [
    ['logs', 'r', '--access', '--status=404,5xx', '--path', '/v1', '--slow', '1.5s'],
    {
      access: true,
      requests: { ...ANY, statuses: ['404', '5xx'], path: '/v1', slowMs: 1500 },
    },
  ],
  [['logs', 'r', '--access', '--replica', '0'], { access: true, requests: { ...ANY, replica: 0 } }],
  [['logs', 'r', '-f', '--all-nodes'], { follow: true, allNodes: true }],
  [['logs', 'r', '--attempt', '2'], { attempt: 2 }],
  [['logs', 'r', '--previous'], { previous: true }],
])('%j means %j', async (argv, expected) => {
  let options: LogsOptions | null = null;
  const keep = async (given: LogsOptions): Promise<void> => {
    options = given;
  };
  await parseCommand((program, cli) => declareLogs(program, cli, keep), argv);
  expect(options).toEqual({
    run: 'r',
    index: null,
    diagnose: false,
    replica: 0,
    job: 0,
    allNodes: false,
    since: null,
    follow: false,
    lines: null,
    grep: null,
    timestamps: false,
    json: false,
    allReplicas: false,
    access: false,
    requests: ANY,
    attempt: null,
    previous: false,
    ...expected,
  });
});

test('every page is printed unchanged', async () => {
  const pages = [page(['one\n', 'tw'], 'next'), page(['o\n'])];
  const fake = await serving({
    [`POST ${BASE}/logs/poll`]: () => pages.shift() as { json: unknown },
  });
  const { out, code } = await runCommand(['logs', 'x'], { env: serverEnv(fake.url) });
  expect([out, code]).toEqual(['one\ntwo\n', 0]);
  const tokens = fake.requests.filter((r) => r.path.endsWith('poll')).map((r) => r.body);
  expect(tokens).toMatchObject([
    { next_token: null, limit: 1000, descending: false, diagnose: false, start_time: null },
    { next_token: 'next' },
  ]);
});

test('-d shows the diagnostic log of a job and interprets none of its control characters', async () => {
  const fake = await serving({ [`POST ${BASE}/logs/poll`]: page(['a\u001b[2Jb\n', 'c\u202ed\n']) });
  const at = (...argv: string[]) =>
    runCommand(['logs', 'x', ...argv], { env: serverEnv(fake.url) });
  expect((await at('-d')).out).toBe('a\\x1b[2Jb\nc\\u202ed\n');
  expect((await at('-d', '-n', '1')).out).toBe('c\\u202ed\n');
});

test("a job's own output reaches a terminal unchanged, and a pipe as text", async () => {
  const fake = await serving({ [`POST ${BASE}/logs/poll`]: page(['a\u001b[2Jb\r\n', 'c']) });
  const env = serverEnv(fake.url);
  const onTerminal = await runCommand(['logs', 'x'], { env, terminal: 80 });
  expect(onTerminal.out).toBe('a\u001b[2Jb\r\nc');
  expect((await runCommand(['logs', 'x'], { env })).out).toBe('ab\nc');
  const coloured = await runCommand(['logs', 'x', '--color', 'always'], { env });
  expect(coloured.out).toBe('a\u001b[2Jb\r\nc');
});

test('-n prints the last lines, --since only what was printed from then on', async () => {
  const fake = await serving({ [`POST ${BASE}/logs/poll`]: page(['a\nb\n', 'c\nd\n']) });
  const argv = ['logs', 'x', '-n', '2', '--since', '2026-11-24T12:00:00Z'];
  const { out } = await runCommand(argv, { env: serverEnv(fake.url) });
  expect(out).toBe('c\nd\n');
  expect(fake.bodyOf(`${BASE}/logs/poll`)).toMatchObject({
    start_time: '2026-11-24T12:00:00.000Z',
  });
});

test('a run without output is explained', async () => {
  const fake = await serving({ [`POST ${BASE}/logs/poll`]: page([]) });
  const { code, out, err } = await runCommand(['logs', 'x'], { env: serverEnv(fake.url) });
  expect([code, out]).toEqual([0, '']);
  expect(err).toMatch(/^Run \S+ \(exited \(\d+\)\) has printed nothing\. See also: dstack logs -d/);
  const placeless = await recordedAnswer<Run>('run-get-failed', `${BASE}/runs/get`);
  const submission = placeless.jobs[0]?.job_submissions.at(-1);
  if (submission) Object.assign(submission, { job_provisioning_data: null });
  fake.set(`POST ${BASE}/runs/get`, { json: placeless });
  const never = await runCommand(['logs', 'x'], { env: serverEnv(fake.url) });
  expect(never.err).toMatch(/never started .* Why: dstack explain/);
  const again = await recordedAnswer<Run>('run-get-failed', `${BASE}/runs/get`);
  const [job] = again.jobs;
  const [first] = job?.job_submissions ?? [];
  const last = { ...first, submission_num: 1, status: 'submitted', job_provisioning_data: null };
  Object.assign(job ?? {}, { job_submissions: [first, last] });
  fake.set(`POST ${BASE}/runs/get`, { json: { ...again, status: 'submitted' } });
  const waiting = await runCommand(['logs', 'x'], { env: serverEnv(fake.url) });
  expect(waiting.err).toMatch(/has not started again yet .*: dstack logs --previous/);
});

test('-f streams bytes until the job has ended', async () => {
  const fake = await serving({
    [`GET ${BASE}/logs/stream`]: { events: [logEvent('a', 1), logEvent('b\n', 3), LOG_END] },
  });
  const { out, code } = await runCommand(['logs', '-f', 'x'], { env: serverEnv(fake.url) });
  // The output and the exit code are those of the program of the recorded run.
  expect([out, code]).toEqual(['ab\n', 3]);
});

test('an error about an unknown job lists the jobs that exist', async () => {
  const fake = await serving({});
  const { code, err } = await runCommand(['logs', 'x', '--job', '7'], { env: serverEnv(fake.url) });
  expect(code).toBe(3);
  expect(err).toContain('it has: --replica 0 --job 0');
});

test('a run that has not started by its schedule yet names its next start', async () => {
  const run = await recordedAnswer<Run>('run-get-failed', `${BASE}/runs/get`);
  const scheduled = { status: 'pending', next_triggered_at: '2031-03-04T05:06:00Z', jobs: [] };
  const fake = await serving({ [`POST ${BASE}/runs/get`]: { json: { ...run, ...scheduled } } });
  for (const argv of [[], ['-f'], ['--attempt', '1']]) {
    const { code, err } = await runCommand(['logs', 'x', ...argv], { env: serverEnv(fake.url) });
    expect(code).toBe(3);
    expect(err).toMatch(/Run x has not started yet, .*\n.*next run: 2031-03-04 05:06 UTC\n/);
    expect(err).toContain('next: dstack attach x');
  }
});

test('lines are followed while the server is restarted, each one once', async () => {
  const run = await recordedAnswer<Run>('run-get-failed', `${BASE}/runs/get`);
  const running = withStatus(run, 'running', 'running', 'running');
  const states: Route[] = [running, running, running].map((json) => ({ json }));
  states.splice(2, 0, { status: 500, json: { detail: 'the database is away' } });
  const pages = [['a\n'], ['b\n'], []].map((texts) => page(texts));
  const next = (routes: Route[], last: Route): Answer => (routes.shift() ?? last) as Answer;
  const fake = await serving({
    [`POST ${BASE}/runs/get`]: () => next(states, { json: run }),
    [`POST ${BASE}/logs/poll`]: () => next(pages, page([])),
  });
  const { out, err, code } = await runCommand(['logs', 'x', '-f', '--grep', ''], {
    env: serverEnv(fake.url),
  });
  expect([out, code]).toEqual(['a\nb\n', 3]);
  expect(err).toContain('The server does not answer: trying again');
});

test('an unknown run is an error with the next command', async () => {
  const fake = await serving({
    [`POST ${BASE}/runs/get`]: wireError('resource_not_exists', 'Run not found'),
  });
  const { code, err } = await runCommand(['logs', 'nope'], { env: serverEnv(fake.url) });
  expect(code).toBe(3);
  expect(err).toContain('error: Run nope does not exist');
  expect(err).toContain('next: dstack ps --all');
});

test.each([
  [2, ['a\nb\nc\n'], 'b\nc\n'],
  [2, ['a\nb\nc'], 'b\nc'],
  [1, ['a\n', 'b', 'c\n'], 'bc\n'],
  [9, ['a\n'], 'a\n'],
  [0, ['a\n'], ''],
])('the last %i lines of %j', (limit, chunks, expected) => {
  const tail = new TailBuffer(limit);
  for (const chunk of chunks) tail.add(new TextEncoder().encode(chunk));
  expect(new TextDecoder().decode(tail.bytes())).toBe(expected);
});

test('lines are printed with their times, and only those with the text', async () => {
  const fake = await serving({
    [`POST ${BASE}/logs/poll`]: page(['loss 1\n', 'noise\n', 'loss 2\r\n']),
  });
  const env = serverEnv(fake.url);
  const { out } = await runCommand(['logs', 'x', '--grep', 'loss', '--timestamps'], { env });
  expect(out).toBe('2026-11-24T15:00:00Z loss 1\n2026-11-24T15:00:02Z loss 2\n');
  expect(fake.bodyOf(`${BASE}/logs/poll`)).toMatchObject({ grep: 'loss' });
  const none = await runCommand(['logs', 'x', '--grep', 'nope'], { env });
  expect([none.out, none.err]).toEqual(['', expect.stringContaining('No line of run x')]);
});

test('the lines of all replicas are in the order of their times, with labels', async () => {
  const run = await recordedAnswer<Run>('run-get-failed', `${BASE}/runs/get`);
  const second = structuredClone(run.jobs[0]) as Run['jobs'][number];
  Object.assign(second.job_spec, { replica_num: 1 });
  for (const submission of second.job_submissions) submission.id = 'second';
  const fake = await startFakeServer({
    [`POST ${BASE}/runs/get`]: { json: { ...run, jobs: [run.jobs[0], second] } },
    [`POST ${BASE}/logs/poll`]: ({ body }) =>
      (body as { job_submission_id: string }).job_submission_id === 'second'
        ? (page(['b0\n', 'b1\n']) as { json: unknown })
        : (page(['a0\n']) as { json: unknown }),
  });
  const argv = ['logs', 'x', '--all-replicas'];
  const env = serverEnv(fake.url);
  const { out } = await runCommand([...argv, '--timestamps'], { env });
  expect(out.split('\n')).toEqual([
    'replica=0 | 2026-11-24T15:00:00Z a0',
    'replica=1 | 2026-11-24T15:00:00Z b0',
    'replica=1 | 2026-11-24T15:00:01Z b1',
    '',
  ]);
  const json = await runCommand([...argv, '--json', '-n', '1'], { env });
  expect(
    json.out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line)),
  ).toMatchObject([
    { type: 'log', run: 'x', replica: 0, job: 0, message: 'a0' },
    { type: 'log', replica: 1, timestamp: '2026-11-24T15:00:00Z' },
  ]);
});

/** A run whose job was submitted three times; the output of each attempt is its id. */
async function servingAttempts(): Promise<FakeServer> {
  const run = await recordedAnswer<Run>('run-get-failed', `${BASE}/runs/get`);
  const [job] = run.jobs;
  const [submission] = job?.job_submissions ?? [];
  const submissions = [0, 1, 2].map((number) => ({
    ...{ ...submission, id: `attempt-${number + 1}`, submission_num: number },
  }));
  return startFakeServer({
    [`POST ${BASE}/runs/get`]: {
      json: { ...run, jobs: [{ ...job, job_submissions: submissions }] },
    },
    [`GET ${BASE}/logs/stream`]: ({ query }) => {
      const text = query.get('job_submission_id') ?? '';
      return { events: [logEvent(text, text.length), LOG_END] };
    },
  });
}

test.each([
  [[], 'attempt-3'],
  [['--attempt', '1'], 'attempt-1'],
  [['--attempt', '3'], 'attempt-3'],
  [['--previous'], 'attempt-2'],
  [['--previous', '--all-replicas'], 'attempt-2'],
])('logs with %j are those of %s', async (options, expected) => {
  const fake = await servingAttempts();
  const { out } = await runCommand(['logs', 'x', ...options], { env: serverEnv(fake.url) });
  expect(out).toContain(expected);
});

test('an attempt that the run does not have is refused with those it has', async () => {
  const fake = await servingAttempts();
  const env = serverEnv(fake.url);
  const { code, err } = await runCommand(['logs', 'x', '--attempt', '9'], { env });
  expect([code, err]).toEqual([3, expect.stringMatching(/no attempt 9[\s\S]*1 \(.*2 \(.*3 \(/)]);
  for (const wrong of [['--attempt', '2'], ['--follow'], ['--access']]) {
    const { code } = await runCommand(['logs', 'x', '--previous', ...wrong], { env });
    expect([wrong, code]).toEqual([wrong, 2]);
  }
});
