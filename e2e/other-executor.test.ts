import type { Installation } from '@dstack/testkit';
import { dockerMissing, startDocker, type TestDocker } from '@dstack/testkit/docker';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { IMAGE } from './docker.ts';
import {
  applyFleet,
  isFinished,
  isRunning,
  newInstallation,
  submit,
  untilRun,
} from './installation.ts';

const missing = dockerMissing();
if (missing) console.warn(`Changing the executor is NOT tested: it needs ${missing}`);

/** The image does not have this program of the host. */
const WHERE = ['if [ -e /usr/bin/unshare ]; then echo process; else echo container; fi'];

describe.skipIf(missing)('a server that is restarted with another executor', () => {
  let engine: TestDocker;
  let home: Installation;
  beforeAll(async () => {
    engine = await startDocker();
    await engine.busybox(IMAGE);
    home = newInstallation({ DOCKER_HOST: engine.host });
  });
  afterAll(async () => {
    await home?.dispose();
    await engine?.close();
  });

  /** Returns the line about the server's machine. */
  async function start(executor: 'docker' | 'process'): Promise<string> {
    home.env.DSTACK_LOCAL_EXECUTOR = executor;
    await home.startServer();
    return await vi.waitUntil(() => /^.*on the server's machine.*$/m.exec(home.serverNotices)?.[0]);
  }

  async function whereRuns(name: string): Promise<string> {
    await submit(home, name, WHERE, `image: ${IMAGE}\n`);
    await untilRun(home, name, isFinished);
    // The shell of the image greets first.
    return (await home.ok('logs', name)).trim().split('\n').at(-1) ?? '';
  }

  it('runs jobs where its plans say, and keeps the executor of jobs that still run', async () => {
    await start('process');
    await applyFleet(home, '0..2');
    expect(await whereRuns('first')).toBe('process');
    await submit(home, 'long', ['sleep 100000']);
    await untilRun(home, 'long', isRunning);
    await home.stopServer();

    // The job that runs needs its own executor, so the other one has to wait.
    const kept = await start('docker');
    expect(kept).toContain('as plain processes');
    expect(kept).toContain('1 job still runs that way');
    expect(await whereRuns('second')).toBe('process');
    await home.ok('stop', 'long', '-y');
    await untilRun(home, 'long', isFinished);
    await home.stopServer();

    expect(await start('docker')).toContain('in Docker containers');
    expect(await whereRuns('third')).toBe('container');
    await home.stopServer();

    expect(await start('process')).toContain('as plain processes');
    expect(await whereRuns('fourth')).toBe('process');
  });
});
