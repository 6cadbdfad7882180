import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Installation } from '@dstack/testkit';
import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  applyFleet,
  isFinished,
  isRunning,
  newInstallation,
  showRun,
  submit,
  untilRun,
} from './installation.ts';
import { until } from './until.ts';

const isRoot = process.getuid?.() === 0;
if (!isRoot) console.warn('Users of their own for jobs are NOT tested: they need root');

interface ShownInstance {
  readonly status: string;
}

const ADMIN_TOKEN = 'token-of-the-admin-0123';

/** The user of a process; root for a process that has ended, since no job is root. */
function userOf(pid: number): number {
  return statSync(`/proc/${pid}`, { throwIfNoEntry: false })?.uid ?? 0;
}

describe("jobs on the server's machine", () => {
  let home: Installation;
  afterEach(() => home.dispose());

  /** Returns the line about the server's machine. */
  async function startServer(env: NodeJS.ProcessEnv = {}): Promise<string> {
    Object.assign(home.env, env);
    await home.startServer();
    return await vi.waitUntil(() => /^.*on the server's machine.*$/m.exec(home.serverNotices)?.[0]);
  }

  it('are allowed for the projects that the server names in one line at its start', async () => {
    home = newInstallation();
    expect(await startServer()).toContain("Jobs of project main can run on the server's machine");
    await home.stopServer();
    expect(await startServer({ DSTACK_SERVER_TRUSTED_PROXIES: 'loopback' })).toContain(
      "Jobs do not run on the server's machine: others can reach this server, since DSTACK_SERVER_TRUSTED_PROXIES",
    );
    await home.stopServer();
    expect(await startServer({ DSTACK_LOCAL_PROJECTS: 'ml' })).toContain(
      "Jobs of project ml can run on the server's machine",
    );
    await applyFleet(home);
    await submit(home, 'refused', ['true']);
    const { status } = await untilRun(home, 'refused', isFinished);
    expect(status).toBe('failed');
  });

  it.skipIf(!isRoot)(
    'cannot read files of the server and of each other, and leave nothing behind',
    async () => {
      // A server directory that was created with the usual mode.
      const dir = mkdtempSync('/var/lib/dstack-test-');
      chmodSync(dir, 0o755);
      home = newInstallation({ DSTACK_SERVER_DIR: dir, DSTACK_SERVER_ADMIN_TOKEN: ADMIN_TOKEN });
      try {
        expect(await startServer()).toContain('each job with a user id of its own');
        await applyFleet(home, '0..2');
        const victim = [
          'echo mine > ~/file; chmod 644 ~/file; echo mine > /tmp/file; sleep 100000',
        ];
        await submit(home, 'victim', victim, 'env:\n  SECRET: hidden-of-victim\n');
        await untilRun(home, 'victim', isRunning);
        await home.ok('secret', 'set', 'one', 'hidden-of-project');
        const pids = home.processes();
        const looks = [
          `ls -la ${dir}; cat ${dir}/config.yml; cat ${dir}/data/dstack.db; ls ${dir}/agent/jobs`,
          `cat ${dir}/agent/token ${dir}/agent/jobs/*/record.json ${dir}/logs/*`,
          'ls /var/lib/dstack-jobs /var/lib/dstack-jobs/uids; cat /var/lib/dstack-jobs/*/*/home/file',
          ...pids.map(
            (pid) => `cat /proc/${pid}/environ /proc/${pid}/cmdline; ls /proc/${pid}/cwd/`,
          ),
          `cat /tmp/file; ls ${home.home}; cat ${home.home}/.dstack/config.yml; env`,
          `kill -9 ${pids.join(' ')}; id`,
        ];
        const commands = looks.map((look) => `{ ${look}; } 2>&1 || true`);
        await submit(home, 'spy', commands);
        expect((await untilRun(home, 'spy', isFinished)).status).toBe('done');
        const seen = await home.ok('logs', 'spy');
        expect(seen).toMatch(/uid=\d{5}\(dstack-\d{5}\)/);
        expect(seen).not.toMatch(
          /hidden-of|mine|encryption|CREATE TABLE|"spec"|supervisor|server-id/,
        );
        expect(seen).not.toContain(ADMIN_TOKEN);
        expect(seen).not.toContain(readFileSync(join(dir, 'agent/token'), 'utf8').trim());
        expect(await showRun(home, 'victim')).toMatchObject({ status: 'running' });
        await home.ok('stop', 'victim', '-y');
        await untilRun(home, 'victim', isFinished);
        const server = readFileSync(join(dir, 'agent/owner'), 'utf8').trim();
        await vi.waitUntil(() => !existsSync(join('/var/lib/dstack-jobs', server)));
        expect(home.processes().every((pid) => userOf(pid) === 0)).toBe(true);
      } finally {
        await home.dispose();
        rmSync(dir, { recursive: true, force: true });
      }
    },
  );

  it('can still be stopped when the server has become public, and then release their instance', async () => {
    home = newInstallation();
    await startServer();
    await applyFleet(home);
    await submit(home, 'endless', ['echo begun; sleep 100000']);
    await untilRun(home, 'endless', isRunning);
    await home.stopServer();
    await startServer({ DSTACK_SERVER_TRUSTED_PROXIES: 'loopback' });
    expect(await showRun(home, 'endless')).toMatchObject({ status: 'running' });
    await home.ok('stop', 'endless', '-y');
    await untilRun(home, 'endless', isFinished);
    await until(async () => {
      const instances = await home.api<ShownInstance[]>('/api/instances/list', {});
      return instances.every(({ status }) => status === 'terminated');
    });
    await submit(home, 'late', ['true']);
    expect((await untilRun(home, 'late', isFinished)).status).toBe('failed');
  });
});
