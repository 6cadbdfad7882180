/** A real Slurm cluster as a backend, driven by our command line and by the official one. */
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Installation } from '@dstack/testkit';
import { slurmMissing, startSlurm, type TestCluster } from '@dstack/testkit/slurm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  configuration,
  dstack,
  isFinished,
  isRunning,
  newInstallation,
  untilRun,
} from './installation.ts';
import { OfficialClient, officialClient } from './official-client/official-client.ts';
import { freePort } from './serving.ts';
import { until } from './sim-cloud.ts';
import { Terminal } from './terminal.ts';

const run = promisify(execFile);
const missing = slurmMissing();
if (missing && process.env.CI) throw new Error(`Slurm cannot be tested: ${missing} is missing`);
if (missing) console.warn(`Slurm is NOT tested: ${missing} is missing`);

const SMALL = 'resources: {cpu: 1.., memory: 512MB.., disk: null}';

/** The agent is copied there first, and Slurm itself takes seconds for each job. */
const PATIENCE = { timeout: 120_000 };

describe.skipIf(missing !== null)('a Slurm cluster', PATIENCE, () => {
  let cluster: TestCluster;
  let home: Installation;
  beforeAll(async () => {
    cluster = await startSlurm({ net: '10.219.0', prefix: 'se' });
    home = newInstallation({ DSTACK_LOCAL_PROJECTS: 'none' });
    home.env.DSTACK_SERVER_SSH_PORT = String(await freePort());
    const { hostname, user, keyPath } = cluster;
    const entry = `{name: hpc, hostname: ${hostname}, user: ${user}, private_key: {path: ${keyPath}}, cpu_partitions: [cpu, low]}`;
    mkdirSync(home.serverDir, { recursive: true });
    writeFileSync(
      join(home.serverDir, 'config.yml'),
      `projects:\n- name: main\n  backends:\n  - {type: slurm, clusters: [${entry}]}\n`,
      { mode: 0o600 },
    );
    await home.startServer();
    for (const [name, placement] of [
      ['hpc', 'any'],
      ['gangs', 'cluster'],
    ]) {
      const fleet = `type: fleet\nname: ${name}\nnodes: 0..6\nplacement: ${placement}\nbackends: [slurm]\n`;
      await home.ok('apply', '-f', configuration(home, `${name}.dstack.yml`, fleet), '-y');
    }
  });
  afterAll(async () => {
    home?.dispose();
    await cluster?.close();
  });

  const write = (name: string, lines: readonly string[], fleet = 'hpc') => {
    const all = [`name: ${name}`, `fleets: [${fleet}]`, SMALL, ...lines, ''];
    return configuration(home, `${name}.dstack.yml`, all.join('\n'));
  };
  const task = (
    name: string,
    commands: readonly string[],
    more: readonly string[] = [],
    fleet?: string,
  ) => {
    const lines = ['type: task', 'image: busybox:1', `commands: ${JSON.stringify(commands)}`];
    return write(name, [...lines, ...more], fleet);
  };
  const start = async (file: string) => await home.ok('apply', '-f', file, '-y', '-d');
  const queue = async () => (await cluster.login('squeue -h -o "%j %P %N"')).trim();

  it('offers its nodes, and runs a task in the container of its image', async () => {
    expect(await home.ok('offer', '-b', 'slurm', '--gpu', 'H100:2')).toMatch(
      /slurm \(hpc\).*H100:80GB:2 +gpu-1[\s\S]*gpu-2/,
    );
    expect((await home.dstack(['offer', '-b', 'slurm', '--gpu', 'H100:3'])).stdout).not.toContain(
      'gpu-1',
    );
    const file = task('hello', ['echo "on $(hostname)"', 'ls -d /home || exit 3']);
    const { stdout, code } = await home.dstack(['apply', '-f', file, '-y']);
    expect(stdout).toContain('on cpu-1');
    expect(stdout).not.toContain('dev');
    expect(code).toBe(3);
    await until(async () => (await queue()) === '');
  });

  it('gives a gang of three the nodes of one job, and their addresses', async () => {
    const commands = [
      'echo "rank $DSTACK_NODE_RANK of $DSTACK_NODES_NUM on $(hostname)"',
      'echo "$DSTACK_NODES_IPS" | wc -l',
    ];
    const more = ['nodes: 3', 'backend_settings: {slurm: {partition: low, time_limit: "10"}}'];
    await start(task('gang', commands, more, 'gangs'));
    const done = await untilRun(home, 'gang', isFinished);
    expect([done.status, done.status_message]).toEqual(['done', expect.anything()]);
    const logs = await home.ok('logs', 'gang', '--all-replicas');
    for (const [rank, node] of ['cpu-1', 'gpu-1', 'gpu-2'].entries()) {
      expect(logs).toContain(`rank ${rank} of 3 on ${node}`);
    }
  });

  it('is entered by ssh and a forwarded port, and serves a service of two replicas', async () => {
    const service = write('web', [
      ...['type: service', 'image: busybox:1', 'port: 8000', 'auth: false', 'replicas: 2'],
      `commands: ['hostname > index.html; exec httpd -f -p "$DSTACK_LISTEN_ADDRESS:8000"']`,
    ]);
    await start(service);
    await start(write('dev', ['type: dev-environment', 'image: busybox:1', 'ports: [7777]']));
    await untilRun(home, 'dev', isRunning);
    const attached = new Terminal(home, ['attach', 'dev'], dstack);
    const [, local] = await attached.until(/localhost:(\d+) -> 7777/);
    const config = join(home.home, '.dstack', 'ssh', 'config');
    const ssh = ['-n', '-F', config, 'dev'];
    await expect(run('ssh', [...ssh, 'hostname; exit 7'])).rejects.toMatchObject({
      ...{ code: 7, stdout: 'cpu-1\n' },
    });
    await run('ssh', [...ssh, 'echo page > index.html; httpd -p 127.0.0.1:7777']);
    expect(await (await fetch(`http://localhost:${local}/`)).text()).toBe('page\n');
    attached.pressCtrlC();
    await attached.end();
    await untilRun(home, 'web', ({ status }) => status === 'running');
    const page = async () => (await fetch(`${home.url}/proxy/services/main/web/`)).text();
    await until(async () => (await page()) === 'cpu-1\n');
    await home.ok('stop', 'dev', 'web', '-y');
    await until(async () => (await queue()) === '');
  });

  it('is used by the official client', async () => {
    const { path, missing: why } = officialClient('0.22.5');
    if (path === null) throw new Error(why);
    const client = new OfficialClient(path, join(home.home, 'client'));
    const project = ['--name', 'main', '--url', home.url, '--token', home.token()];
    await client.ok('project', 'add', ...project, '-y');
    expect(await client.ok('offer', '-b', 'slurm')).toMatch(/cpu-1/);
    const yaml = readFileSync(join(home.home, task('theirs', ['echo the words; sleep 8'])), 'utf8');
    const brief = await client.run(['apply', '-f', client.write('t.dstack.yml', yaml), '-y']);
    expect([brief.stdout, brief.code]).toEqual([expect.stringMatching(/the words\r?\n/), 0]);
  });

  it('loses no line while server and controller end and come back', async () => {
    const count = 'i=0; while [ $i -lt 200 ]; do i=$((i+1)); echo "line $i"; sleep 0.03; done';
    await start(task('count', [count]));
    await untilRun(home, 'count', isRunning);
    await home.stopServer('SIGKILL');
    await home.startServer();
    await cluster.control('stop', 'slurmctld');
    await cluster.control('start', 'slurmctld');
    const done = await untilRun(home, 'count', isFinished);
    expect(done.status).toBe('done');
    const lines = (await home.ok('logs', 'count'))
      .split(/\r?\n/)
      .filter((line) => line.startsWith('line'));
    expect(lines).toEqual(Array.from({ length: 200 }, (_, index) => `line ${index + 1}`));
  });

  it('starts a run again that lost its place to another job, and its node', async () => {
    const more = [
      'backend_settings: {slurm: {partition: low, options: {nodelist: gpu-1}}}',
      'retry: {on_events: [interruption], duration: 10m}',
    ];
    await start(task('kept', ['echo begin; sleep 600'], more));
    await untilRun(home, 'kept', isRunning);
    await cluster.login('sbatch -p gpu -w gpu-1 --exclusive -o /dev/null --wrap "sleep 1"');
    const explained = async () => await home.ok('explain', 'kept', '-v');
    await until(async () => /a job of higher priority took its place/.test(await explained()));
    await untilRun(home, 'kept', isRunning);
    await home.ok('stop', 'kept', '-y');
    await untilRun(home, 'kept', isFinished);
    await until(async () => (await queue()) === '');
    await until(async () => (await cluster.login('ls ~/.dstack/jobs')) === '');
  });
});
