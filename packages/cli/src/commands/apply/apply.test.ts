import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Run, RunPlan } from '@dstack/contract/wire';
import { expect, test } from 'vitest';
import {
  type FakeServer,
  LOG_END,
  logEvent,
  type Route,
  runEvent,
  startFakeServer,
  wireError,
} from '../../testing/fake-server.ts';
import { parseCommand } from '../../testing/parse-command.ts';
import { recordedAnswer, recording } from '../../testing/recordings.ts';
import {
  type RunOptions,
  type RunResult,
  runCommand,
  serverEnv,
  withDirectory,
} from '../../testing/run-command.ts';
import { type ApplyOptions, declareApply } from './declare.ts';

const BASE = '/api/project/main';

/** The configuration of the recorded run. */
const TASK = `type: task
name: cdd080
image: ref/base:1
commands:
  - echo started
  - sleep 600
resources:
  cpu: 1..
  memory: 0.1GB..
  disk: 1GB..
`;

async function started(routes: Readonly<Record<string, Route>>): Promise<FakeServer> {
  return startFakeServer(routes);
}

async function recordedRoutes(name: string): Promise<Record<string, Route>> {
  const routes: Record<string, Route> = {};
  for (const call of await recording(name)) {
    routes[`${call.method} ${call.path}`] ??= { status: call.status, json: call.response };
  }
  return routes;
}

function apply(
  yaml: string,
  argv: readonly string[],
  fake: FakeServer,
  options: RunOptions = {},
): Promise<RunResult> {
  return withDirectory(async (cwd) => {
    await writeFile(join(cwd, 't.dstack.yml'), yaml);
    const env = { ...serverEnv(fake.url), ...options.env };
    return runCommand(['apply', '-f', 't.dstack.yml', ...argv], {
      ...options,
      env,
      cwd,
      home: cwd,
    });
  });
}

async function parsed(argv: readonly string[]): Promise<ApplyOptions> {
  let options: ApplyOptions | null = null;
  const keep = async (given: ApplyOptions): Promise<void> => {
    options = given;
  };
  await parseCommand((program, cli) => declareApply(program, cli, keep), ['apply', ...argv]);
  if (options === null) throw new Error('nothing was parsed');
  return options;
}

test.each<[string[], object]>([
  [['-f', 'x.yml', '-y', '-d'], { file: 'x.yml', yes: true, detach: true, force: false }],
  [['-e', 'A=1', '-e', 'B'], { flags: { env: ['A=1', 'B'] } }],
  [['-p', '80:8080', '--host', '0.0.0.0'], { flags: { ports: ['80:8080'], host: '0.0.0.0' } }],
  [['--gpu', 'H100:2', '--cpu=4..'], { flags: { gpu: 'H100:2', cpu: '4..' } }],
  [['--spot'], { flags: { profile: { spotPolicy: 'spot' } } }],
  [['--on-demand'], { flags: { profile: { spotPolicy: 'on-demand' } } }],
  [['--spot-auto'], { flags: { profile: { spotPolicy: 'auto' } } }],
  [['--retry'], { flags: { profile: { retry: true } } }],
  [['--no-retry'], { flags: { profile: { retry: false } } }],
  [[], { flags: { profile: { retry: null, profile: null }, repo: { repo: null }, maxOffers: 3 } }],
  [
    ['--no-profile', '--no-repo'],
    { flags: { profile: { profile: false }, repo: { repo: false } } },
  ],
  [
    ['--profile', 'big', '-P', '.'],
    { flags: { profile: { profile: 'big' }, repo: { repo: '.' } } },
  ],
  [
    ['-b', 'aws', '-b', 'gcp', '-r', 'eu'],
    { flags: { profile: { backends: ['aws', 'gcp'], regions: ['eu'] } } },
  ],
  [['--', '--lr', '1'], { runArgs: ['--lr', '1'] }],
  [['-R'], { flags: { profile: { reuse: true } } }],
])('apply %j means %j', async (argv, expected) => {
  expect(await parsed(argv)).toMatchObject(expected);
});

test.each([
  [['--spot', '--on-demand']],
  [['-R', '--idle-duration', '1h']],
  [['--dont-destroy', '-R']],
  [['--retry', '--retry-duration', '1h']],
  [['--max-offers', '0']],
])('apply %j is refused', async (argv) => {
  await expect(parsed(argv)).rejects.toThrow();
});

test('"no" shows the plan, submits nothing and ends with 0', async () => {
  const fake = await started(await recordedRoutes('apply-d'));
  const { code, out, err } = await apply(TASK, [], fake, { input: 'n\n' });
  expect(code).toBe(0);
  expect(out).toBe(
    [
      ' Project        main',
      ' User           admin',
      ' Type           task (nodes=1)',
      ' Resources      cpu=x86:1.. mem=0.1GB.. disk=1GB..',
      ' Spot policy    on-demand',
      ' Max price      off',
      ' Retry policy   off',
      ' Idle duration  5m',
      ' Max duration   off',
      '',
      ' #  BACKEND       RESOURCES                     INSTANCE TYPE   PRICE',
      ' 1  ssh (remote)  cpu=1 mem=11.8GB disk=67.6GB  instance (1/2)  $0     idle',
      ' 2  ssh (remote)  cpu=1 mem=11.8GB disk=67.6GB  instance (1/2)  $0     idle',
      '',
      '',
    ].join('\n'),
  );
  expect(err).toBe('Submit the run cdd080? [y/n]: \nExiting...\n');
  expect(fake.calls).toEqual([`POST ${BASE}/repos/init`, `POST ${BASE}/runs/get_plan`]);
});

test('the end of the input is no answer', async () => {
  const fake = await started(await recordedRoutes('apply-d'));
  const { code, err } = await apply(TASK, [], fake);
  expect(code).toBe(2);
  expect(err).toContain('next: pass --yes');
  expect(fake.calls).not.toContain(`POST ${BASE}/runs/apply`);
});

test('-d sends what the official client sends, and returns', async () => {
  const fake = await started(await recordedRoutes('apply-d'));
  const { code, out, err } = await apply(TASK, ['-y', '-d'], fake);
  expect([code, err]).toEqual([0, 'Run cdd080 submitted, detaching... (dstack logs -f cdd080)\n']);
  expect(out).toContain('Project');
  const recorded = await recording('apply-d');
  for (const path of ['repos/init', 'runs/get_plan', 'runs/apply'].map((p) => `${BASE}/${p}`)) {
    const theirs = structuredClone(recorded.find((call) => call.path === path)?.request);
    const spec = (theirs as { run_spec?: { configuration_path: string } }).run_spec;
    if (spec) spec.configuration_path = 't.dstack.yml';
    expect(fake.bodyOf(path)).toEqual(theirs);
  }
});

test('--json prints the submitted run only', async () => {
  const fake = await started(await recordedRoutes('apply-d'));
  const { out } = await apply(TASK, ['-y', '-d', '--json'], fake);
  expect(JSON.parse(out)).toMatchObject({ status: 'submitted', run_spec: { run_name: 'cdd080' } });
});

test('--dry-run asks nothing', async () => {
  const fake = await started(await recordedRoutes('apply-d'));
  const { code, out, err } = await apply(TASK, ['--dry-run', '--json'], fake);
  expect([code, err]).toEqual([0, '']);
  expect(JSON.parse(out)).toMatchObject({ action: 'create' });
});

async function attachedRun(): Promise<Run> {
  const run = await recordedAnswer<Run>('run-get-failed', `${BASE}/runs/get`);
  run.run_spec.run_name = 'cdd080';
  const job = run.jobs[0];
  if (job) job.job_connection_info = null;
  return run;
}

function withStatus(run: Run, status: Run['status'], job: string, message: string): Run {
  const copy = structuredClone(run);
  copy.status = status;
  const submission = copy.jobs[0]?.job_submissions.at(-1);
  if (submission) Object.assign(submission, { status: job, status_message: message, error: null });
  return copy;
}

test('an attached run shows its phases, streams its output and ends with its result', async () => {
  const run = await attachedRun();
  const events = [
    runEvent(withStatus(run, 'submitted', 'submitted', 'submitted')),
    runEvent(withStatus(run, 'provisioning', 'pulling', 'pulling')),
    runEvent(withStatus(run, 'done', 'done', 'exited (0)')),
  ];
  const fake = await started({
    ...(await recordedRoutes('apply-d')),
    [`GET ${BASE}/runs/watch`]: { events, open: true },
    [`GET ${BASE}/logs/stream`]: {
      events: [logEvent('hello ', 6), ': keep-alive\n\n', logEvent('world\n', 12), LOG_END],
    },
  });
  const { code, out, err } = await apply(TASK, ['-y'], fake);
  expect(out.endsWith('\nhello world\n')).toBe(true);
  expect(err).toMatch(
    /cdd080: submitted\n\[[\d:]+\] cdd080: pulling\n\[[\d:]+\] cdd080: exited \(0\)\n/,
  );
  expect(err).toContain('cdd080 provisioning completed (done)');
  expect(err.endsWith('Exited (0)\n')).toBe(true);
  expect(code).toBe(0);
  const stream = fake.requests.find((r) => r.path === `${BASE}/logs/stream`);
  expect(Object.fromEntries(stream?.query ?? [])).toEqual({
    run_name: 'cdd080',
    job_submission_id: run.jobs[0]?.job_submissions.at(-1)?.id,
    offset: '0',
  });
});

test('a failed run ends with 1, and the reason', async () => {
  const run = await attachedRun();
  const fake = await started({
    ...(await recordedRoutes('apply-d')),
    [`GET ${BASE}/runs/watch`]: { events: [runEvent(run)], open: true },
    [`GET ${BASE}/logs/stream`]: { events: [LOG_END] },
  });
  const { code, err } = await apply(TASK, ['-y'], fake);
  expect(code).toBe(1);
  expect(err).toContain('Exited (3)');
  expect(err).toContain('dstack logs -d cdd080');
});

test('on a server without streams the run and its logs are polled', async () => {
  const run = withStatus(await attachedRun(), 'done', 'done', 'exited (0)');
  const message = Buffer.from('polled\n').toString('base64');
  const log = { timestamp: '2026-11-24T15:00:00Z', log_source: 'stdout', message };
  const fake = await started({
    ...(await recordedRoutes('apply-d')),
    [`POST ${BASE}/runs/get`]: { json: run },
    [`POST ${BASE}/logs/poll`]: { json: { logs: [log], external_url: null, next_token: null } },
  });
  const { code, out } = await apply(TASK, ['-y'], fake);
  expect(code).toBe(0);
  expect(out.endsWith('\npolled\n')).toBe(true);
});

test('Ctrl-C asks, and "yes" stops the run', async () => {
  const run = await attachedRun();
  const running = withStatus(run, 'running', 'running', 'running');
  // Without an address there is nothing to attach to by SSH, which is none of this test's business.
  const placed = running.jobs[0]?.job_submissions.at(-1)?.job_provisioning_data;
  if (placed) placed.hostname = '';
  let stopped = false;
  const fake = await started({
    ...(await recordedRoutes('apply-d')),
    'POST /api/users/get_my_user': wireError('error', 'no key'),
    [`GET ${BASE}/runs/watch`]: () => ({
      events: [
        runEvent(stopped ? withStatus(run, 'terminated', 'terminated', 'stopped') : running),
      ],
      open: true,
    }),
    [`GET ${BASE}/logs/stream`]: { events: [logEvent('working\n', 8)], open: true },
    [`POST ${BASE}/runs/stop`]: () => {
      stopped = true;
      return { json: null };
    },
  });
  let pressed = false;
  const { code, out, err } = await apply(TASK, [], fake, {
    input: 'y\ny\n',
    onOutput: (text, pressCtrlC) => {
      if (!text.includes('working\n') || pressed) return;
      pressed = true;
      pressCtrlC();
    },
  });
  expect(out).toContain('working\n');
  expect(err).toContain('Stop the run cdd080 before detaching? [y/n]');
  expect(err.endsWith('Stopped\n')).toBe(true);
  expect(code).toBe(130);
  expect(fake.bodyOf(`${BASE}/runs/stop`)).toEqual({ runs_names: ['cdd080'], abort: false });
});

test('a plan without offers says whether there are fleets', async () => {
  const routes = await recordedRoutes('apply-no-capacity');
  const some = await started(routes);
  expect((await apply(TASK, [], some, { input: 'n\n' })).out).toContain(
    'No matching instance offers',
  );
  await some.stop();
  const none = await started({ ...routes, [`POST ${BASE}/fleets/list`]: { json: [] } });
  expect((await apply(TASK, [], none, { input: 'n\n' })).out).toContain('has no fleets');
});

async function planWith(change: (plan: RunPlan) => void): Promise<Record<string, Route>> {
  const routes = await recordedRoutes('apply-same-name-refused');
  const plan = await recordedAnswer<RunPlan>('apply-same-name-refused', `${BASE}/runs/get_plan`);
  change(plan);
  return { ...routes, [`POST ${BASE}/runs/get_plan`]: { json: plan } };
}

test('an unchanged active run is left alone with -y, and overridden with --force', async () => {
  const routes = await planWith(() => {});
  const fake = await started({
    ...routes,
    [`POST ${BASE}/runs/stop`]: { json: null },
    [`GET ${BASE}/runs/watch`]: {
      events: [runEvent(withStatus(await attachedRun(), 'terminated', 'terminated', 'stopped'))],
      open: true,
    },
    [`POST ${BASE}/runs/apply`]: { json: await attachedRun() },
  });
  const alone = await apply(TASK, ['-y', '-d'], fake);
  expect([alone.code, alone.err]).toEqual([
    0,
    'Exiting... (nothing to change; --force submits anyway)\n',
  ]);
  expect(alone.out).toContain('Detected no configuration changes');
  expect(fake.calls).not.toContain(`POST ${BASE}/runs/apply`);
  await apply(TASK, ['-y', '-d', '--force'], fake);
  expect(fake.calls.slice(-3)).toEqual([
    `POST ${BASE}/runs/stop`,
    `GET ${BASE}/runs/watch`,
    `POST ${BASE}/runs/apply`,
  ]);
});

test('changes of an active run are listed before the question', async () => {
  const routes = await planWith((plan) => {
    if (plan.effective_run_spec) plan.effective_run_spec.configuration.priority = 7;
  });
  const fake = await started(routes);
  const { out, err } = await apply(TASK, [], fake, { input: 'n\n' });
  expect(out).toContain(
    'can be updated in-place:\n- Configuration properties:\n  - priority: 0 -> 7\n',
  );
  expect(err).toContain('Update the run? [y/n]');
});

test('files are packed, looked up by hash and uploaded only if unknown', async () => {
  const known = 'aaaaaaaa-0000-4000-8000-000000000001';
  const fresh = 'aaaaaaaa-0000-4000-8000-000000000002';
  let lookups = 0;
  const fake = await started({
    ...(await recordedRoutes('apply-d')),
    'POST /api/files/get_archive_by_hash': () => {
      lookups += 1;
      return lookups === 1
        ? { json: { id: known, hash: 'h' } }
        : wireError('resource_not_exists', 'none');
    },
    'POST /api/files/upload_archive': { json: { id: fresh, hash: 'h' } },
  });
  await withDirectory(async (cwd) => {
    await mkdir(join(cwd, 'data'));
    await writeFile(join(cwd, 'data', 'a.txt'), 'a');
    await writeFile(join(cwd, 't.yml'), `${TASK}files:\n  - data\n  - data/a.txt:b.txt\n`);
    const argv = ['apply', '-f', 't.yml', '-y', '-d'];
    const { code } = await runCommand(argv, { env: serverEnv(fake.url), cwd, home: cwd });
    expect(code).toBe(0);
    expect(fake.bodyOf(`${BASE}/runs/get_plan`)).toMatchObject({
      run_spec: {
        file_archives: [
          { id: known, path: 'data' },
          { id: fresh, path: 'b.txt' },
        ],
        configuration: { files: [{ local_path: join(cwd, 'data'), path: 'data' }, {}] },
      },
    });
  });
  expect(fake.calls.filter((c) => c.endsWith('upload_archive'))).toHaveLength(1);
});

test.each([
  [
    'type: task\nname: x\ncommands: [a]\nresources:\n  gpuu: 1\n',
    /t\.dstack\.yml:5:3: resources\.gpuu .*gpu/,
  ],
  ['type: task\ncommands: [a\n', /t\.dstack\.yml:\d+:\d+/],
])('a file that is not valid is shown with its place', async (yaml, place) => {
  const fake = await started({});
  const { code, err } = await apply(yaml, ['-y'], fake);
  expect(code).toBe(1);
  expect(err).toMatch(place);
  expect(err).toContain('next: correct the file, then: dstack validate t.dstack.yml');
  expect(fake.calls).toEqual([]);
});

test('a missing variable and a missing file are named before any request', async () => {
  const fake = await started({});
  const env = await apply(`${TASK}env: [NOT_THERE]\n`, ['-y'], fake);
  expect(env.err).toContain('Environment variable NOT_THERE is not set');
  const files = await apply(
    `${TASK}files: [nope]\n`,
    ['-y'],
    await started(await recordedRoutes('apply-d')),
  );
  expect(files.err).toContain('nope');
  expect(files.code).toBe(1);
});

test('options of another type are refused', async () => {
  const fake = await started({});
  const { code, err } = await apply('type: fleet\nname: f\nnodes: 1\n', ['--gpu', 'H100'], fake);
  expect(code).toBe(2);
  expect(err).toContain('Unrecognized arguments: --gpu');
});

test('-f - reads the input and cannot ask', async () => {
  const fake = await started(await recordedRoutes('apply-d'));
  const env = serverEnv(fake.url);
  const refused = await runCommand(['apply', '-f', '-'], { env, input: TASK });
  expect(refused.code).toBe(2);
  const done = await runCommand(['apply', '-f', '-', '-y', '-d'], { env, input: TASK });
  expect(done.code).toBe(0);
  expect(fake.bodyOf(`${BASE}/runs/get_plan`)).toMatchObject({
    run_spec: { configuration_path: '-' },
  });
});
