/** What fails around the jobs of a real Slurm cluster: servers, agents, nodes and the controller. */
import { copyFileSync, mkdirSync } from 'node:fs';
import {
  type Installation,
  type PostgresCluster,
  postgresBinaries,
  startPostgres,
} from '@dstack/testkit';
import { startSlurm, type TestCluster } from '@dstack/testkit/slurm';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { countedTo, counting, linesOf, seenInLogs } from './counting.ts';
import { isFinished, isRunning, newInstallation, untilRun } from './installation.ts';
import { until } from './sim-cloud.ts';
import {
  applySlurmFleets,
  foldersOfJobs,
  jobsInQueue,
  SLURM_SERVER,
  slurmSkipped,
  slurmTask,
  writeSlurmConfig,
} from './slurm-cluster.ts';

const missing = slurmSkipped();
const binaries = postgresBinaries();

/** The agent is copied to the cluster first, and Slurm itself takes seconds for each job. */
const PATIENCE = { timeout: 120_000 };

describe.skipIf(missing !== null || binaries === null)('jobs of Slurm', PATIENCE, () => {
  let cluster: TestCluster;
  let postgres: PostgresCluster;
  const servers: Installation[] = [];
  beforeAll(async () => {
    postgres = await startPostgres(binaries ?? '');
    cluster = await startSlurm({ net: '10.222.0', prefix: 'sf' });
  });
  afterAll(async () => {
    await postgres?.stop();
    await cluster?.close();
  });
  afterEach(async () => {
    for (const server of servers.splice(0)) await server.dispose();
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
    await start(two, slurmTask(two, 'gang', counting(300, 0.04), ['nodes: 2', ...low], 'gangs'));
    for (const name of [...names, 'gang']) await untilRun(two, name, isRunning);
    await seenInLogs(two, 'gang', 'line 5');
    await start(one, slurmTask(one, 'last', counting(5), low));
    await one.stopServer('SIGKILL');
    for (const name of [...names, 'gang']) {
      const { latest_job_submission } = await untilRun(two, name, isFinished);
      expect([name, latest_job_submission.exit_status]).toEqual([name, 3]);
      expect(await linesOf(two, name)).toEqual(countedTo(300));
    }
    await untilRun(two, 'last', isFinished);
    expect(await linesOf(two, 'last')).toEqual(countedTo(5));
    await untilNothingIsLeft();
  });

  it('continue while the controller is killed, end where their node is drained', async () => {
    const { url } = await postgres.createDatabase();
    const home = await newServer(url);
    await applySlurmFleets(home);
    const nodes = ['cpu-1', 'gpu-1', 'gpu-2'] as const;
    const retry = 'retry: {on_events: [interruption], duration: 10m}';
    for (const node of nodes) {
      const settings = `backend_settings: {slurm: {partition: low, options: {exclude: "${nodes.filter((other) => other !== node)}"}}}`;
      const more = node === 'gpu-2' ? [retry] : [settings];
      await start(home, slurmTask(home, `on-${node}`, counting(400, 0.04), more));
      await untilRun(home, `on-${node}`, isRunning);
    }
    await seenInLogs(home, 'on-gpu-2', 'line 170');
    await cluster.control('kill', 'slurmctld');
    await cluster.control('start', 'slurmctld');
    await cluster.control('drain', 'gpu-1');
    for (const name of ['on-cpu-1', 'on-gpu-1']) {
      const { latest_job_submission } = await untilRun(home, name, isFinished);
      expect([name, latest_job_submission.exit_status]).toEqual([name, 3]);
      expect(await linesOf(home, name)).toEqual(countedTo(400));
    }
  });
});
