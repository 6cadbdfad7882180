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

interface ShownInstance {
  readonly status: string;
}

describe("jobs on the server's machine", () => {
  let home: Installation;
  afterEach(() => home.dispose());

  /** Answers what the server says of its machine. */
  async function startServer(env: NodeJS.ProcessEnv = {}): Promise<string> {
    Object.assign(home.env, env);
    await home.startServer();
    return await vi.waitUntil(() => /^.*on this machine.*$/m.exec(home.serverNotices)?.[0]);
  }

  it('go to the projects that the start of the server names in one line', async () => {
    home = newInstallation();
    expect(await startServer()).toContain('Jobs of project main can run on this machine');
    await home.stopServer();
    expect(await startServer({ DSTACK_SERVER_TRUSTED_PROXIES: 'loopback' })).toContain(
      'Jobs do not run on this machine: others can reach this server, since DSTACK_SERVER_TRUSTED_PROXIES',
    );
    await home.stopServer();
    expect(await startServer({ DSTACK_LOCAL_PROJECTS: 'ml' })).toContain(
      'Jobs of project ml can run on this machine',
    );
    await applyFleet(home);
    await submit(home, 'refused', ['true']);
    const { status } = await untilRun(home, 'refused', isFinished);
    expect(status).toBe('failed');
  });

  it('can still be stopped when the server has become public, and leave the machine', async () => {
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
    for (;;) {
      const instances = await home.api<ShownInstance[]>('/api/instances/list', {});
      if (instances.every(({ status }) => status === 'terminated')) break;
    }
    await submit(home, 'late', ['true']);
    expect((await untilRun(home, 'late', isFinished)).status).toBe('failed');
  });
});
