import { mkdirSync, writeFileSync } from 'node:fs';
import {
  type Installation,
  type PostgresCluster,
  postgresBinaries,
  startPostgres,
} from '@dstack/testkit';
import { startCloud } from '@dstack/testkit/cloud';
import { FakeMachine, nvidiaSmi } from '@dstack/testkit/fake-machine';
import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  it,
  onTestFinished,
} from 'vitest';
import { countedTo, counting, linesOf, seenInLogs } from './counting.ts';
import {
  applyFleet,
  configuration,
  dstack,
  isFinished,
  isRunning,
  newInstallation,
  newServerBeside,
  showRun,
  submit,
  untilRun,
} from './installation.ts';

const binaries = postgresBinaries();
const NO_CAPACITY = 'failed_to_start_due_to_no_capacity';
if (!binaries) console.warn('Servers on PostgreSQL are NOT tested: PostgreSQL is not installed');

describe.skipIf(binaries === null)('servers on PostgreSQL', () => {
  let cluster: PostgresCluster;
  let url: string;
  let homes: Installation[];
  beforeAll(async () => {
    cluster = await startPostgres(binaries ?? '');
  });
  afterAll(() => cluster?.stop());
  beforeEach(async () => {
    homes = [];
    url = (await cluster.createDatabase()).url;
  });
  afterEach(async () => {
    for (const home of homes) await home.dispose();
  });

  async function newServer(env: NodeJS.ProcessEnv = {}): Promise<Installation> {
    const home = newInstallation({ DSTACK_DATABASE_URL: url, ...env });
    homes.push(home);
    await home.startServer();
    return home;
  }

  async function serverBeside(
    one: Installation,
    env: NodeJS.ProcessEnv = {},
  ): Promise<Installation> {
    const home = await newServerBeside(one, { DSTACK_DATABASE_URL: url, ...env });
    homes.push(home);
    return home;
  }

  it('do the whole first run', async () => {
    const home = await newServer();
    await applyFleet(home);
    const yaml =
      'type: task\nname: hello\ncommands: [echo "hello $DSTACK_RUN_NAME"]\nresources: {gpu: 0}\n';
    const file = configuration(home, 'hello.dstack.yml', yaml);
    const { code, stdout, stderr } = await home.dstack(['apply', '-f', file, '-y']);
    expect(stdout + stderr).toContain('hello hello');
    expect(code).toBe(0);
    expect(await showRun(home, 'hello')).toMatchObject({ status: 'done' });
    expect(await home.ok('logs', 'hello')).toContain('hello hello');
    await home.stopServer();
    await home.startServer();
    expect(await home.ok('logs', 'hello')).toContain('hello hello');
  });

  it('have a limit each for the jobs of their machines, also while another one is dead', async () => {
    const two = { DSTACK_LOCAL_MAX_INSTANCES: '2' };
    const first = await newServer(two);
    await applyFleet(first, '0..8');
    await Promise.all(['kept', 'brief'].map((name) => submit(first, name, ['sleep 1000'])));
    await Promise.all(['kept', 'brief'].map((name) => untilRun(first, name, isRunning)));
    await first.ok('stop', 'brief', '-y', '--abort');
    await untilRun(first, 'brief', isFinished);
    const second = await serverBeside(first, two);
    await first.stopServer('SIGKILL');
    // The dead server has an idle instance, and its death is not noticed yet: the start is never sent.
    await submit(second, 'lost', ['sleep 1000']);
    for (const name of ['third', 'fourth']) {
      await submit(second, name, ['sleep 1000']);
      await untilRun(second, name, isRunning);
    }
    expect((await showRun(second, 'lost')).latest_job_submission.status).toBe('provisioning');
    await submit(second, 'refused', ['sleep 1000']);
    const refused = await untilRun(second, 'refused', isFinished);
    expect(refused.latest_job_submission.termination_reason).toBe(NO_CAPACITY);
    await second.ok('stop', 'third', '-y', '--abort');
    await untilRun(second, 'lost', isRunning);
    expect((await showRun(second, 'kept')).latest_job_submission.status).toBe('running');

    await first.startServer();
    // On the idle instance of the server that is back; all four are in use then.
    await submit(second, 'again', ['sleep 1000']);
    await untilRun(second, 'again', isRunning);
    await submit(first, 'fifth', ['sleep 1000']);
    const more = await untilRun(first, 'fifth', isFinished);
    expect(more.latest_job_submission.termination_reason).toBe(NO_CAPACITY);
    expect((await showRun(first, 'kept')).latest_job_submission.status).toBe('running');
    const { instances } = await first.api<{ instances: readonly { status: string }[] }>(
      '/api/project/main/fleets/get',
      { name: 'default' },
    );
    expect(instances.filter(({ status }) => status === 'busy')).toHaveLength(4);
  }, 420_000);

  it('place a run on the machine of the server that has the GPUs for it', async () => {
    const machine = new FakeMachine(['nvidiactl'], {
      'nvidia-smi': nvidiaSmi({ 'GPU-1': 'works' }),
    });
    onTestFinished(() => machine.remove());
    const first = await newServer();
    const second = await newServerBeside(first, { DSTACK_DATABASE_URL: url }, machine.wrap(dstack));
    homes.push(second);
    const fleet =
      'type: fleet\nname: default\nnodes: 0..4\nidle_duration: 0s\nresources: {gpu: 0..}\n';
    await first.ok('apply', '-f', configuration(first, 'fleet.dstack.yml', fleet), '-y');
    // Of each run, the first look is by either server.
    for (const name of ['one', 'two', 'three']) {
      const commands = 'commands: ["ls /dev/nvidiactl"]';
      const yaml = `type: task\nname: ${name}\n${commands}\nresources: {gpu: 1}\n`;
      const file = configuration(first, `${name}.dstack.yml`, yaml);
      await first.ok('apply', '-f', file, '-y', '-d');
      const run = await untilRun(first, name, isFinished);
      expect(run).toMatchObject({ status: 'done' });
      expect(await first.ok('logs', name)).toContain('/dev/nvidiactl');
    }
  });

  it('stay together within the limits on the calls of an account', async () => {
    await using cloud = await startCloud({ personality: 'lambda' });
    const env = { DSTACK_BACKEND_LAMBDA_ENDPOINT: cloud.url };
    const first = newInstallation({ DSTACK_DATABASE_URL: url, ...env });
    homes.push(first);
    mkdirSync(first.serverDir, { recursive: true });
    const backend = `{type: lambda, creds: {type: api_key, api_key: ${cloud.apiKey}}}`;
    const yaml = `projects:\n- name: main\n  backends:\n  - ${backend}\n`;
    writeFileSync(`${first.serverDir}/config.yml`, yaml, { mode: 0o600 });
    await first.startServer();
    const second = await newServerBeside(first, { DSTACK_DATABASE_URL: url, ...env });
    homes.push(second);
    const before = cloud.log.length;
    const check = (home: Installation) =>
      home.api<{ backend: string; status: string }[]>('/api/project/main/backends/check', {});
    const checks = [first, second].flatMap((home) => [1, 2, 3].map(() => check(home)));
    for (const answer of await Promise.all(checks)) {
      expect(answer).toContainEqual(expect.objectContaining({ backend: 'lambda', status: 'ok' }));
    }
    // Lambda admits one call in a second, and answers more with 429.
    const calls = cloud.log.slice(before);
    expect(calls.length).toBeGreaterThanOrEqual(checks.length);
    expect(calls.filter(({ status }) => status !== 200)).toEqual([]);
  });

  it('lose nothing when they are killed', async () => {
    const home = await newServer();
    await applyFleet(home);
    await submit(home, 'counter', counting(150, 0.02));
    await untilRun(home, 'counter', isRunning);
    await seenInLogs(home, 'counter', 'line 5');
    await home.stopServer('SIGKILL');
    await home.startServer();
    const run = await untilRun(home, 'counter', isFinished);
    expect(run.latest_job_submission.exit_status).toBe(3);
    expect(await linesOf(home, 'counter')).toEqual(countedTo(150));
  });

  it('serve the same run together: submitted through one, followed through the other', async () => {
    const one = await newServer();
    const two = await serverBeside(one);
    expect(two.token()).toBe(one.token());

    await applyFleet(one);
    await submit(one, 'shared', counting(60, 0.02));
    const { code, stdout } = await two.dstack(['attach', 'shared', '--logs']);
    expect(stdout.match(/^line \d+/gm)).toHaveLength(60);
    expect(code).toBe(3);
    expect(await untilRun(one, 'shared', isFinished)).toMatchObject({
      latest_job_submission: { exit_status: 3 },
    });
    expect(await showRun(two, 'shared')).toMatchObject({ status: 'failed' });
  });

  it('stop through one server what was submitted through the other', async () => {
    const one = await newServer();
    const two = await serverBeside(one);
    await applyFleet(two);
    await submit(two, 'endless', ['while :; do sleep 0.1; done']);
    await untilRun(one, 'endless', isRunning);
    await one.ok('stop', 'endless', '-y');
    expect(await untilRun(two, 'endless', isFinished)).toMatchObject({
      termination_reason: 'stopped_by_user',
    });
  });

  it('close, through one server, connections opened with a token that is replaced through the other', async () => {
    const one = await newServer();
    const two = await serverBeside(one);
    const username = 'ann';
    await one.api('/api/users/create', { username, global_role: 'user' });
    const members = [{ username, project_role: 'user' }];
    await one.api('/api/projects/main/add_members', { members });
    const { creds } = await one.api<{ creds: { token: string } }>('/api/users/get_user', {
      username,
    });
    const open = () =>
      fetch(`${two.url}/api/project/main/events/stream`, {
        headers: { authorization: `Bearer ${creds.token}` },
      });
    const stream = await open();
    expect(stream.status).toBe(200);
    await one.api('/api/users/refresh_token', { username });
    // The output so far; the test waits for its end.
    await stream.text();
    expect((await open()).status).toBe(403);
  });

  it('refuse to start beside a server whose key they do not have', async () => {
    await newServer();
    const other = newInstallation({ DSTACK_DATABASE_URL: url });
    homes.push(other);
    await expect(other.startServer()).rejects.toThrow(/encryption\.keys/);
  });
});
