import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dockerMissing, startDocker, type TestDocker } from '@dstack/testkit/docker';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { executorAt, sleepingJob } from '../testing/docker-jobs.ts';
import type { DockerExecutor } from './docker-executor.ts';

const missing = dockerMissing();
if (missing) console.warn(`Starts on a hung containerd are NOT tested: ${missing} is missing`);

describe.skipIf(missing !== null)('a start on a hung containerd', () => {
  let engine: TestDocker;
  let dir: string;
  let executor: DockerExecutor;
  let containerd: number;
  beforeEach(async () => {
    engine = await startDocker();
    await engine.busybox('busybox:test');
    containerd = Number(execFileSync('pgrep', ['-P', String(engine.pid), '-x', 'containerd']));
    dir = mkdtempSync(join(tmpdir(), 'hung-'));
    executor = executorAt(engine.docker, dir);
  });
  afterEach(async () => {
    process.kill(containerd, 'SIGCONT');
    executor.close();
    await engine.close();
    rmSync(dir, { recursive: true });
  });

  const containers = () => engine.docker.listContainers({ all: true });

  it('is given up as a fault of the host, and leaves no container once containerd goes on', async () => {
    const job = sleepingJob(dir);
    // The facts of an image are read by a container of its own.
    await executor.start(job, new AbortController().signal, () => {}).then((one) => one.release());
    await executor.remove(job);
    process.kill(containerd, 'SIGSTOP');
    const next = sleepingJob(dir);
    const awaited: unknown[] = [];
    const start = executor.start(next, new AbortController().signal, (one) => awaited.push(one));
    await expect(start).rejects.toMatchObject({
      reason: 'creating_container_error',
      hostFault: 'daemon_hung',
    });
    expect(awaited[0]).toContain('an answer of the Docker daemon (startContainer)');
    process.kill(containerd, 'SIGCONT');
    await executor.remove(next);
    await vi.waitFor(async () => expect(await containers()).toEqual([]), { timeout: 20_000 });
  });

  it('ends when the job is stopped meanwhile', async () => {
    const job = sleepingJob(dir);
    await executor.start(job, new AbortController().signal, () => {}).then((one) => one.release());
    await executor.remove(job);
    process.kill(containerd, 'SIGSTOP');
    const stop = new AbortController();
    const next = sleepingJob(dir);
    const start = executor.start(next, stop.signal, () => stop.abort(new Error('stopped')));
    await expect(start).rejects.toThrow('stopped');
    process.kill(containerd, 'SIGCONT');
    await executor.remove(next);
    await vi.waitFor(async () => expect(await containers()).toEqual([]), { timeout: 20_000 });
  });
});
