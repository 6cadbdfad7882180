import { copyFileSync, mkdirSync } from 'node:fs';
import {
  type Installation,
  type PostgresCluster,
  postgresBinaries,
  startPostgres,
} from '@dstack/testkit';
import { startHosts, type TestHost, type TestHosts } from '@dstack/testkit/hosts';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { countedTo, counting, linesOf, seenInLogs } from './counting.ts';
import {
  allIdle,
  applySshFleet,
  IMAGE,
  missingForHosts,
  onFleet,
  untilInstances,
} from './hosts.ts';
import { isFinished, isRunning, newInstallation, submit, untilRun } from './installation.ts';

describe.skipIf(missingForHosts() !== null)('a host', () => {
  let machines: TestHosts;
  let host: TestHost;
  let other: TestHost;
  let homes: Installation[] = [];
  beforeAll(async () => {
    machines = await startHosts({ count: 2 });
    [host, other] = machines.hosts as [TestHost, TestHost];
    await machines.busybox(IMAGE);
  });
  afterAll(() => machines?.close());
  afterEach(async () => {
    for (const home of homes) await home.dispose();
    homes = [];
  });

  async function server(env: NodeJS.ProcessEnv = {}, keysOf?: Installation): Promise<Installation> {
    const home = newInstallation({ DSTACK_LOCAL_PROJECTS: 'none', ...env });
    homes.push(home);
    if (keysOf) {
      // Servers of one database have the same keys.
      mkdirSync(home.serverDir, { recursive: true });
      copyFileSync(`${keysOf.serverDir}/config.yml`, `${home.serverDir}/config.yml`);
    }
    await home.startServer();
    return home;
  }

  it('of one server is refused to another, and its job continues', async () => {
    const owner = await server();
    await applySshFleet(owner, machines, 'mine', [other]);
    await untilInstances(owner, 'mine', allIdle);
    await submit(owner, 'working', counting(60), onFleet('mine'));
    await seenInLogs(owner, 'working', 'line 3');
    const stranger = await server();
    await applySshFleet(stranger, machines, 'yours', [other]);
    const [refused] = await untilInstances(stranger, 'yours', (all) =>
      all.every(({ status }) => status === 'terminated'),
    );
    expect(refused?.termination_reason_message).toMatch(
      /belongs to another dstack server \(on .+, id .+\).*take it over/,
    );
    expect(await stranger.ok('fleet', 'get', 'yours')).toContain('another dstack server');
    const run = await untilRun(owner, 'working', isFinished);
    expect(run.latest_job_submission.exit_status).toBe(3);
    expect(await linesOf(owner, 'working')).toEqual(countedTo(60));
  });

  const binaries = postgresBinaries();
  describe.skipIf(binaries === null)('of two servers on one database', () => {
    let cluster: PostgresCluster;
    beforeAll(async () => {
      cluster = await startPostgres(binaries ?? '');
    });
    afterAll(() => cluster?.stop());

    it('is taken over when its server dies, with its jobs and their output', async () => {
      const env = { DSTACK_DATABASE_URL: (await cluster.createDatabase()).url };
      const first = await server(env);
      await applySshFleet(first, machines, 'pool', [host], 2);
      await untilInstances(first, 'pool', allIdle);
      const second = await server(env, first);
      // Through the server that is not linked to the host.
      await submit(second, 'long', counting(150), onFleet('pool'));
      await submit(second, 'endless', counting(100_000), onFleet('pool'));
      await Promise.all(['long', 'endless'].map((name) => untilRun(second, name, isRunning)));
      await seenInLogs(second, 'long', 'line 3');
      await first.stopServer('SIGKILL');
      // No server can carry it out until the lease of the dead server has expired.
      await second.ok('stop', 'endless', '-y');
      const stopped = await untilRun(second, 'endless', isFinished);
      expect(stopped.termination_reason).toBe('stopped_by_user');
      const run = await untilRun(second, 'long', isFinished);
      expect(run.latest_job_submission.exit_status).toBe(3);
      expect(await linesOf(second, 'long')).toEqual(countedTo(150));
      const lines = await linesOf(second, 'endless');
      expect(lines).toEqual(countedTo(lines.length));

      // It dies together with the host: the other server must notice that the host is unreachable.
      await first.startServer();
      await second.stopServer('SIGKILL');
      await host.crash();
      await untilInstances(first, 'pool', (all) => all.some(({ unreachable }) => unreachable));
      await host.boot();
      await untilInstances(first, 'pool', allIdle);
    }, 240_000);

    it('is taken from servers that were removed, and released by one that is stopped', async () => {
      // The fix that the refusal describes.
      await host.exec('rm -f /var/lib/dstack/owner');
      const env = { DSTACK_DATABASE_URL: (await cluster.createDatabase()).url };
      const first = await server(env);
      await applySshFleet(first, machines, 'next', [host]);
      await untilInstances(first, 'next', allIdle);
      const second = await server(env, first);
      // Roles are changed through the server that is not linked to the host.
      await second.api('/api/users/create', { username: 'mary', global_role: 'user' });
      const lines = () => host.exec('grep dstack-shell: /root/.ssh/authorized_keys || true');
      const members = (...roles: [string, string][]) =>
        second.api('/api/projects/main/set_members', {
          members: roles.map(([username, project_role]) => ({ username, project_role })),
        });
      await members(['admin', 'admin'], ['mary', 'manager']);
      await vi.waitFor(async () => expect(await lines()).toContain('dstack-shell:mary'), 20_000);
      await members(['admin', 'admin']);
      await vi.waitFor(async () => expect(await lines()).not.toContain('mary'), 20_000);
      expect(await lines()).toContain('dstack-shell:admin');
      await first.stopServer();
      await submit(second, 'last', counting(3), onFleet('next'));
      const run = await untilRun(second, 'last', isFinished);
      const { exit_status, termination_reason_message: reason } = run.latest_job_submission;
      expect(exit_status, reason ?? 'no reason').toBe(3);
      expect(await linesOf(second, 'last')).toEqual(countedTo(3));
      await second.ok('fleet', 'delete', 'next', '-y');
    });
  });
});
