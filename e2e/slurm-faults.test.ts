/** Faults around the jobs of a real Slurm cluster: of servers, agents, nodes and the controller. */
import { once } from 'node:events';
import { copyFileSync, mkdirSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import {
  type Installation,
  type PostgresCluster,
  postgresBinaries,
  startPostgres,
} from '@dstack/testkit';
import { startSlurm, type TestCluster } from '@dstack/testkit/slurm';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { countedTo, counting, linesOf, seenInLogs } from './counting.ts';
import { isFinished, isRunning, newInstallation, showRun, untilRun } from './installation.ts';
import { freePort } from './serving.ts';
import {
  applySlurmFleets,
  clearCluster,
  foldersOfJobs,
  jobsInQueue,
  SLURM_SERVER,
  slurmSkipped,
  slurmTask,
  writeSlurmConfig,
} from './slurm-cluster.ts';
import { until } from './until.ts';

const missing = slurmSkipped();
const binaries = postgresBinaries();

const NET = '10.240.0';

/** The agent is copied to the cluster first, and Slurm itself takes seconds for each job. */
const PATIENCE = { timeout: 240_000 };

const KILL_AGENTS = `
for dir in /proc/[0-9]*; do
  if tr '\\0' ' ' < $dir/cmdline 2>/dev/null | grep -q '^/run/dstack-programs/.*[-]-job-container'; then
    kill -9 "\${dir#/proc/}"
  fi
done
`;

/** Starts sshd of the login node anew, with the host key that it has had or another one. */
const RESTART_LOGIN = `
set -e
cd /etc/slurm
[ -e own_key ] || { cp -p ssh_host_key own_key; ssh-keygen -q -t ed25519 -N '' -f other_key; }
cp -p "$1_key" ssh_host_key
for dir in /proc/[0-9]*; do
  if grep -qx sshd $dir/comm 2>/dev/null; then kill "\${dir#/proc/}" || true; fi
done
while ! /usr/sbin/sshd -f /run/sshd_config -E /var/log/slurm/sshd.log; do sleep 0.1; done
`;

describe.skipIf(missing !== null || binaries === null)('jobs of Slurm', PATIENCE, () => {
  let cluster: TestCluster;
  let postgres: PostgresCluster;
  const servers: Installation[] = [];
  beforeAll(async () => {
    postgres = await startPostgres(binaries ?? '');
    cluster = await startSlurm({ net: NET, prefix: 'sf' });
  });
  afterAll(async () => {
    await postgres?.stop();
    await cluster?.close();
  });
  afterEach(async () => {
    for (const server of servers.splice(0)) await server.dispose();
    await clearCluster(cluster);
  });

  async function newServer(url: string, first?: Installation): Promise<Installation> {
    const home = newInstallation({ ...SLURM_SERVER, DSTACK_DATABASE_URL: url });
    servers.push(home);
    mkdirSync(home.serverDir, { recursive: true });
    // Servers of one database have the same keys.
    if (first) copyFileSync(`${first.serverDir}/config.yml`, `${home.serverDir}/config.yml`);
    else writeSlurmConfig(home, cluster);
    await home.startServer();
    return home;
  }
  const start = (home: Installation, file: string) => home.ok('apply', '-f', file, '-y', '-d');
  /** Kills the agents of all jobs on the node, but not the `srun` that has the same words. */
  const killAgent = (node: string) => cluster.control('exec', node, 'sh', '-c', KILL_AGENTS);
  const restartLogin = (key: 'own' | 'other') =>
    cluster.control('exec', 'login', 'sh', '-c', RESTART_LOGIN, 'sh', key);
  const untilNothingIsLeft = () =>
    until(async () => (await jobsInQueue(cluster)) === '' && (await foldersOfJobs(cluster)) === '');

  it('run with two servers, one of which takes over those of the other when it is killed', async () => {
    const { url } = await postgres.createDatabase();
    const one = await newServer(url);
    const two = await newServer(url, one);
    await applySlurmFleets(one);
    const low = ['backend_settings: {slurm: {partition: low}}'];
    const names = ['first', 'second', 'third'];
    // Each server makes some of the jobs, and observes some of those that the other has made.
    for (const [index, name] of names.entries()) {
      const by = index % 2 === 0 ? one : two;
      await start(by, slurmTask(by, name, counting(300, 0.04), low));
    }
    // Its second job may end first: if that failed, the first would be ended.
    const gang = counting(300, 0.04, 0);
    await start(two, slurmTask(two, 'gang', gang, ['nodes: 2', ...low], 'gangs'));
    for (const name of [...names, 'gang']) await untilRun(two, name, isRunning);
    await seenInLogs(two, 'gang', 'line 5');
    await start(one, slurmTask(one, 'last', counting(5), low));
    await one.stopServer('SIGKILL');
    for (const name of [...names, 'gang']) {
      const { latest_job_submission } = await untilRun(two, name, isFinished);
      const exit = name === 'gang' ? 0 : 3;
      expect([name, latest_job_submission.exit_status]).toEqual([name, exit]);
      expect(await linesOf(two, name)).toEqual(countedTo(300));
    }
    await untilRun(two, 'last', isFinished);
    expect(await linesOf(two, 'last')).toEqual(countedTo(5));
    await untilNothingIsLeft();
  });

  it('end with their agents, leave nothing, and are tried again if the run retries errors', async () => {
    const { url } = await postgres.createDatabase();
    const home = await newServer(url);
    await applySlurmFleets(home);
    const on = (nodes: string) => [
      `backend_settings: {slurm: {partition: low, options: {nodelist: "${nodes}"}}}`,
    ];
    await start(home, slurmTask(home, 'once', counting(2000, 0.02), on('cpu-1')));
    const again = ['nodes: 2', 'retry: {on_events: [error, interruption], duration: 10m}'];
    const commands = counting(100, 0.02, 0);
    const gang = [...again, ...on('gpu-[1-2]')];
    await start(home, slurmTask(home, 'again', commands, gang, 'gangs'));
    for (const name of ['once', 'again']) await seenInLogs(home, name, 'line 5');
    const first = await showRun(home, 'again');
    await Promise.all([killAgent('cpu-1'), killAgent('gpu-2')]);
    const failed = await untilRun(home, 'once', isFinished);
    expect([failed.status, failed.latest_job_submission.termination_reason]).toEqual([
      'failed',
      'instance_unreachable',
    ]);
    expect(await home.ok('explain', 'once', '-v')).toMatch(/Slurm job \d+ ended/);
    const lines = await linesOf(home, 'once');
    expect(lines).toEqual(countedTo(lines.length));
    const done = await untilRun(home, 'again', isFinished);
    expect(done.status).toBe('done');
    expect(done.latest_job_submission.id).not.toBe(first.latest_job_submission.id);
    expect(await linesOf(home, 'again')).toEqual(countedTo(100));
    await untilNothingIsLeft();
  });

  it('continue while the controller is killed, end where their node is drained', async () => {
    const { url } = await postgres.createDatabase();
    const home = await newServer(url);
    await applySlurmFleets(home);
    const nodes = ['cpu-1', 'gpu-1', 'gpu-2'] as const;
    for (const node of nodes) {
      const settings = `backend_settings: {slurm: {partition: low, options: {exclude: "${nodes.filter((other) => other !== node)}"}}}`;
      await start(home, slurmTask(home, `on-${node}`, counting(250, 0.04), [settings]));
      await untilRun(home, `on-${node}`, isRunning);
    }
    await seenInLogs(home, 'on-gpu-2', 'line 170');
    await cluster.control('kill', 'slurmctld');
    await cluster.control('start', 'slurmctld');
    await cluster.control('drain', 'gpu-1');
    await until(async () => !/gpu-1/.test(await home.ok('offer', '-b', 'slurm', '-o', 'name')));
    const { stdout, stderr } = await home.dstack(['offer', '-b', 'slurm']);
    expect(stdout + stderr).toMatch(/slurm: new jobs are kept off gpu-1 \(drained/);
    for (const name of nodes.map((node) => `on-${node}`)) {
      const { latest_job_submission } = await untilRun(home, name, isFinished);
      expect([name, latest_job_submission.exit_status]).toEqual([name, 3]);
      expect(await linesOf(home, name)).toEqual(countedTo(250));
    }
    await untilNothingIsLeft();
    await cluster.control('resume', 'gpu-1');
  });

  it('connect to the servers where the login node cannot connect to their nodes', async () => {
    const { url } = await postgres.createDatabase();
    const address = `${NET}.1`;
    const ports = [await freePort(), await freePort()];
    const balancer = await balanced(address, ports);
    const newDialled = () => {
      const home = newInstallation({
        ...{ ...SLURM_SERVER, DSTACK_DATABASE_URL: url, DSTACK_SLURM_DIAL_OUT: '1' },
        DSTACK_SERVER_URL: `http://${address}:${balancer.port}`,
      });
      servers.push(home);
      writeSlurmConfig(home, cluster);
      return home;
    };
    const startOn = (home: Installation, index: number) =>
      home.startServer('--host', address, '--port', String(ports[index]));
    const [one, two] = [newDialled(), newDialled()];
    await startOn(one, 0);
    await applySlurmFleets(one);
    const route = (verb: string) =>
      cluster.control('exec', 'login', 'ip', 'route', verb, 'unreachable', `${NET}.13/32`);
    await route('add');
    try {
      await start(one, slurmTask(one, 'out', counting(400, 0.05)));
      await seenInLogs(one, 'out', 'line 5');
      await one.stopServer('SIGKILL');
      await startOn(one, 0);
      // Servers of one database have the same keys.
      copyFileSync(`${one.serverDir}/config.yml`, `${two.serverDir}/config.yml`);
      await startOn(two, 1);
      await start(two, slurmTask(two, 'other', counting(100, 0.05)));
      await seenInLogs(two, 'other', 'line 5');
      await one.stopServer('SIGKILL');
      for (const [name, count] of [
        ['out', 400],
        ['other', 100],
      ] as const) {
        const { latest_job_submission } = await untilRun(two, name, isFinished);
        expect([name, latest_job_submission.exit_status]).toEqual([name, 3]);
        expect(await linesOf(two, name)).toEqual(countedTo(count));
      }
      await untilNothingIsLeft();
    } finally {
      await route('del');
      balancer.close();
    }
  });

  it('are found, once each, by a server that was killed while it submitted them', async () => {
    const { url } = await postgres.createDatabase();
    const home = await newServer(url);
    await applySlurmFleets(home);
    const theirs = 'dstack-main-theirs-0123456789ab';
    await cluster.login(`sbatch -p low -J ${theirs} -o /dev/null --wrap "sleep 3600"`);
    const sbatch = '/usr/local/bin/sbatch';
    const onLogin = (script: string) => cluster.control('exec', 'login', 'sh', '-c', script);
    await onLogin(
      `printf '%s\\n' '#!/bin/sh' '/usr/bin/sbatch "$@" && sleep 3' > ${sbatch}; chmod 755 ${sbatch}`,
    );
    try {
      await start(home, slurmTask(home, 'found', counting(100, 0.02)));
      await until(async () => /dstack-main-found/.test(await jobsInQueue(cluster)));
      await home.stopServer('SIGKILL');
    } finally {
      await onLogin(`rm ${sbatch}`);
    }
    await home.startServer();
    const { latest_job_submission } = await untilRun(home, 'found', isFinished);
    expect(latest_job_submission.exit_status).toBe(3);
    expect(await linesOf(home, 'found')).toEqual(countedTo(100));
    await until(async () => (await foldersOfJobs(cluster)) === '');
    const names = (await cluster.login('squeue -h -t all -o %j')).split('\n');
    expect(names.filter((name) => name.startsWith('dstack-main-found'))).toHaveLength(1);
    // It may have made room for the other one, and wait for a node again.
    expect(await jobsInQueue(cluster)).toMatch(new RegExp(`^${theirs} low( \\S+)?$`));
    await cluster.login(`scancel -n ${theirs}`);
    await untilNothingIsLeft();
  });

  it('are reached again within seconds once the login node has its first host key back', async () => {
    const { url } = await postgres.createDatabase();
    const home = await newServer(url);
    await applySlurmFleets(home);
    await start(home, slurmTask(home, 'kept', counting(200, 0.05)));
    await seenInLogs(home, 'kept', 'line 5');
    await restartLogin('other');
    try {
      const refused =
        /cluster hpc: .*host key of 10\.240\.0\.3:22 is not the one seen before.*write another name or address of it as `hostname`/;
      await until(async () => refused.test(await home.ok('explain', 'kept', '-v')));
      expect((await home.dstack(['doctor'])).stdout).toMatch(
        /slurm[\s\S]*is not the one seen before/,
      );
      const before = (await linesOf(home, 'kept')).length;
      expect(before).toBeLessThan(200);
    } finally {
      await restartLogin('own');
    }
    const { latest_job_submission } = await untilRun(home, 'kept', isFinished);
    expect(latest_job_submission.exit_status).toBe(3);
    expect(await linesOf(home, 'kept')).toEqual(countedTo(200));
    await untilNothingIsLeft();
  });

  it('move from a node that is removed from the configuration of Slurm', async () => {
    const { url } = await postgres.createDatabase();
    const home = await newServer(url);
    await applySlurmFleets(home);
    for (const node of ['cpu-1', 'gpu-1']) await cluster.control('drain', node);
    const more = [
      'backend_settings: {slurm: {partition: low}}',
      'retry: {on_events: [interruption], duration: 10m}',
    ];
    await start(home, slurmTask(home, 'moved', ['hostname; sleep 3600'], more));
    await until(async () => /gpu-2/.test(await home.ok('logs', 'moved')));
    for (const node of ['cpu-1', 'gpu-1']) await cluster.control('resume', node);
    await cluster.control('stop', 'slurmctld');
    const edit = 'cd /etc/slurm && sed -i "/^NodeName=gpu-2 /d; s/,gpu-2//" slurm.conf gres.conf';
    await cluster.control('exec', 'ctl', 'sh', '-c', edit);
    await cluster.control('start', 'slurmctld');
    await until(async () => /its node failed/.test(await home.ok('explain', 'moved', '-v')));
    await until(async () => /cpu-1|gpu-1/.test(await home.ok('logs', 'moved')));
    expect(await home.ok('offer', '-b', 'slurm')).not.toContain('gpu-2');
    await home.ok('stop', 'moved', '-y');
    await untilNothingIsLeft();
  });
});

/** Leads connections to the ports in turn, and to the next one where no server listens. */
async function balanced(host: string, ports: readonly number[]) {
  let turn = 0;
  const server = createServer((client) => {
    client.on('error', () => client.destroy());
    const lead = (attempt: number): void => {
      const target = connect({ host, port: ports[turn++ % ports.length] ?? 0 });
      const onRefused = () => (attempt < ports.length ? lead(attempt + 1) : client.destroy());
      target.once('error', onRefused);
      target.once('connect', () => {
        target.off('error', onRefused).on('error', () => client.destroy());
        client.on('close', () => target.destroy());
        client.pipe(target).pipe(client);
      });
    };
    lead(1);
  });
  await once(server.listen(0, host), 'listening');
  return { port: (server.address() as AddressInfo).port, close: () => server.close() };
}
