/** A real Slurm cluster as a backend, driven by our command line and by the official one. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { Installation } from '@dstack/testkit';
import { startSlurm, type TestCluster } from '@dstack/testkit/slurm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  dstack,
  isFinished,
  isRunning,
  newInstallation,
  showRun,
  untilRun,
} from './installation.ts';
import { OfficialClient, officialClient } from './official-client/official-client.ts';
import { freePort } from './serving.ts';
import {
  applySlurmFleets,
  foldersOfJobs,
  jobsInQueue,
  SLURM_SERVER,
  slurmRun,
  slurmSkipped,
  slurmTask,
  writeSlurmConfig,
} from './slurm-cluster.ts';
import { Terminal } from './terminal.ts';
import { until } from './until.ts';

const run = promisify(execFile);
const missing = slurmSkipped();

/** The file of the image that the cluster has from the start. */
const BUSYBOX = 'docker.io%library%busybox:1.tar';

/** The agent is copied there first, and Slurm itself takes seconds for each job. */
const PATIENCE = { timeout: 240_000 };

describe.skipIf(missing !== null)('a Slurm cluster', PATIENCE, () => {
  let cluster: TestCluster;
  let home: Installation;
  beforeAll(async () => {
    cluster = await startSlurm({ net: '10.219.0', prefix: 'se' });
    home = newInstallation({ ...SLURM_SERVER, DSTACK_SLURM_HOST_JOBS: '1' });
    home.env.DSTACK_SERVER_SSH_PORT = String(await freePort());
    writeSlurmConfig(home, cluster);
    await home.startServer();
    await applySlurmFleets(home);
  });
  afterAll(async () => {
    home?.dispose();
    await cluster?.close();
  });

  const write = (name: string, lines: readonly string[]) => slurmRun(home, name, lines);
  const task = (
    name: string,
    commands: readonly string[],
    more: readonly string[] = [],
    fleet?: string,
  ) => slurmTask(home, name, commands, more, fleet);
  const start = async (file: string) => await home.ok('apply', '-f', file, '-y', '-d');
  const queue = () => jobsInQueue(cluster);

  it('offers its nodes, and runs a task in the container of its image', async () => {
    expect(await home.ok('offer', '-b', 'slurm', '--gpu', 'H100:2')).toMatch(
      /slurm \(hpc\).*H100:80GB:2 +gpu-1 and 1 more/,
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

  it('offers a run the nodes of its partition that have its features, and names what none has', async () => {
    const feature = async (names: string) => {
      const set = [`activefeatures=${names}`, `availablefeatures=${names}`];
      // The active ones are some of the available ones, before and after.
      for (const one of names === '' ? set : set.toReversed()) {
        await cluster.control('exec', 'ctl', 'scontrol', 'update', 'nodename=gpu-1', one);
      }
    };
    await feature('ib,nvme');
    try {
      await until(async () => /ib,nvme/.test(await cluster.login('scontrol show node gpu-1 -o')));
      const on = (settings: string) => [`backend_settings: {slurm: {partition: low${settings}}}`];
      const featured = task('featured', ['hostname'], on(', constraint: "ib&[nvme|ib]"'));
      const { stdout } = await home.dstack(['apply', '-f', featured, '-y']);
      expect(stdout).toMatch(/slurm \(hpc\).* gpu-1 /);
      expect(stdout).not.toMatch(/cpu-1|gpu-2/);
      const absent = task('absent', ['hostname'], on(', constraint: tape'));
      const refused = await home.dstack(['apply', '-f', absent, '-y']);
      expect(refused.stdout + refused.stderr).toMatch(/`constraint`.* asked for tape/);
      const nowhere = task(
        'nowhere',
        ['hostname'],
        ['backend_settings: {slurm: {partition: h100}}'],
      );
      const none = await home.dstack(['apply', '-f', nowhere, '-y']);
      expect(none.stdout + none.stderr).toMatch(/`partition`.* asked for h100/);
    } finally {
      await feature('');
    }
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

  it('is used by the official client: apply attached, logs, ssh, a forwarded port, stop', async () => {
    const { path, missing: why } = officialClient('0.22.5');
    if (path === null) throw new Error(why);
    const client = new OfficialClient(path, join(home.home, 'client'));
    const project = ['--name', 'main', '--url', home.url, '--token', home.token()];
    await client.ok('project', 'add', ...project, '-y');
    expect(await client.ok('offer', '-b', 'slurm')).toMatch(/cpu-1/);
    const theirs = (file: string) =>
      client.write(file, readFileSync(join(home.home, file), 'utf8'));
    const brief = theirs(task('theirs', ['echo the words']));
    const applied = await client.run(['apply', '-f', brief, '-y']);
    expect([applied.stdout, applied.code]).toEqual([expect.stringMatching(/the words\r?\n/), 0]);
    expect(await client.ok('logs', 'theirs')).toMatch(/the words/);

    const [inside, local] = [await freePort(), await freePort()];
    const commands = [
      'echo page > index.html',
      `echo serving && exec httpd -f -p 127.0.0.1:${inside}`,
    ];
    const session = client.start([
      ...['apply', '-y', '-f', theirs(task('site', commands, [`ports: ["${local}:${inside}"]`]))],
    ]);
    await session.until('serving');
    expect(await (await fetch(`http://127.0.0.1:${local}/`)).text()).toBe('page\n');
    const config = join(client.home, '.dstack', 'ssh', 'config');
    // Another node if Slurm still cleans up the job before this one.
    const { stdout } = await run('ssh', ['-n', '-F', config, 'site', 'hostname']);
    expect(stdout).toMatch(/^(cpu|gpu)-\d\n$/);
    session.interrupt();
    expect((await session.ended).stdout).toContain('Detached');
    await client.ok('stop', 'site', '-y');
    await until(async () => (await queue()) === '');
  });

  it('runs a job without a container as the login user, with files of its own', async () => {
    const commands = [
      'echo "on $(hostname) in $PWD"',
      'echo "hidden: $(ls -A $DSTACK_LOGIN_HOME/.dstack | wc -l)"; echo text > /tmp/mine; echo text > file',
      'test -e /etc/debian_version && echo own files',
    ];
    const lines = ['type: task', `commands: ${JSON.stringify(commands)}`, 'image: busybox:1'];
    await start(write('bare', [...lines, 'backend_settings: {slurm: {container: none}}']));
    expect((await untilRun(home, 'bare', isFinished)).status).toBe('done');
    const logs = await home.ok('logs', 'bare');
    expect(logs).toContain('on cpu-1 in /tmp/workflow');
    expect(logs).toContain('hidden: 0');
    expect(logs).toContain('own files');
    const left = 'ls -A /tmp | wc -l';
    expect(await cluster.control('exec', 'cpu-1', 'sh', '-c', left)).toBe('0\n');
  });

  it('pulls a private image with the credentials of the run, and keeps them no longer', async () => {
    const images = join(dirname(cluster.keyPath), 'images');
    await cluster.control(
      'image',
      'private.example#team/tool:1',
      join(images, BUSYBOX),
      'PATH=/bin',
    );
    const private_ = (name: string, password: string) =>
      write(name, [
        ...['type: task', 'image: private.example/team/tool:1', "commands: ['echo inside']"],
        `registry_auth: {username: test, password: ${password}}`,
      ]);
    await start(private_('refused', 'other'));
    await start(private_('pulled', 'secret'));
    expect((await untilRun(home, 'refused', isFinished)).status).toBe('failed');
    expect(await home.ok('explain', 'refused', '-v')).toContain('401 Unauthorized');
    expect((await untilRun(home, 'pulled', isFinished)).status).toBe('done');
    expect(await home.ok('logs', 'pulled')).toContain('inside');
    await until(async () => (await cluster.login('ls ~/.dstack/credentials')) === '');
  });

  it('cannot lead the server to files of the login user', async () => {
    await cluster.login('echo kept > ~/secret');
    const commands = [
      'cd /run/dstack-job',
      'for file in output.log ended lock token tunnel.0; do ln -sf /home/dev/secret $file; done',
      `for dir in /proc/[0-9]*; do if tr '\\0' ' ' < $dir/cmdline | grep -q '^/run/dstack-programs/.*job-container'; then kill -9 "\${dir#/proc/}"; fi; done`,
    ];
    await start(task('hostile', commands));
    expect((await untilRun(home, 'hostile', isFinished)).status).toBe('failed');
    const explained = await home.ok('explain', 'hostile', '-v');
    expect(explained).toMatch(/Slurm job \d+ ended/);
    expect(explained).not.toContain('kept');
    await until(async () => (await foldersOfJobs(cluster)) === '');
    expect(await cluster.login('cat ~/secret')).toBe('kept\n');
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

  it('waits in the queue of a full cluster, explains why, and runs once there is room', async () => {
    const full = '--exclusive -J full -o /dev/null --wrap "sleep 3600"';
    await cluster.login(`sbatch -p cpu ${full}; sbatch -p gpu -N 2 ${full}`);
    await until(async () => /^full \S+ \S+\nfull \S+ \S+$/.test(await queue()));
    expect(await start(task('waiting', ['echo ran']))).toContain(
      'no node is free for the run now, so it waits in the queue of cluster hpc',
    );
    const why =
      'in the queue of partition cpu,low: other jobs use what it needs, and it starts when enough of them have ended (Resources)';
    await until(async () => (await home.ok('explain', 'waiting', '-v')).includes(why));
    expect((await showRun(home, 'waiting')).status).toBe('provisioning');
    await cluster.login('scancel -n full');
    expect((await untilRun(home, 'waiting', isFinished)).status).toBe('done');
    expect(await home.ok('logs', 'waiting')).toContain('ran');
    await until(async () => (await queue()) === '');
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
    const node = (...state: string[]) =>
      cluster.control('exec', 'ctl', 'scontrol', 'update', 'nodename=gpu-1', ...state);
    await node('state=down', 'reason=broken');
    await until(async () => /its node failed/.test(await explained()));
    expect(await home.ok('offer', '-b', 'slurm')).not.toMatch(/gpu-1 .*available/);
    // The node may have come back by itself.
    await until(async () => {
      await node('state=resume').catch(() => '');
      return !/State=DOWN/.test(await cluster.login('scontrol show node gpu-1 -o'));
    });
    await untilRun(home, 'kept', isRunning);
    await home.ok('stop', 'kept', '-y');
    await untilRun(home, 'kept', isFinished);
    await until(async () => (await queue()) === '');
    await until(async () => (await foldersOfJobs(cluster)) === '');
  });
});
