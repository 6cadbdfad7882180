import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dockerMissing, startDocker, type TestDocker } from '@dstack/testkit/docker';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { JobUnknown } from '../executor/job-failure.ts';
import { executorAt, sleepingJob } from '../testing/docker-jobs.ts';
import type { DockerExecutor } from './docker-executor.ts';

const missing = dockerMissing();
if (missing) console.warn(`Adoption from a hung daemon is NOT tested: ${missing} is missing`);

describe.skipIf(missing !== null)('an agent that starts while the Docker daemon hangs', () => {
  let engine: TestDocker;
  let dir: string;
  let executors: DockerExecutor[];
  beforeEach(async () => {
    engine = await startDocker();
    await engine.busybox('busybox:test');
    dir = mkdtempSync(join(tmpdir(), 'hung-'));
    executors = [];
  });
  afterEach(async () => {
    process.kill(engine.pid, 'SIGCONT');
    for (const one of executors) one.close();
    await engine.close();
    rmSync(dir, { recursive: true });
  });

  function newExecutor(): DockerExecutor {
    const executor = executorAt(engine.docker, dir);
    executors.push(executor);
    return executor;
  }

  it('sweeps and adopts without an answer only later, and finds the job running', async () => {
    const job = sleepingJob(dir);
    const first = newExecutor();
    await first.start(job, new AbortController().signal, () => {}).then((one) => one.release());
    process.kill(engine.pid, 'SIGSTOP');
    const next = newExecutor();
    await next.sweep(new Set([job.spec.id]));
    await expect(next.adopt(job)).rejects.toBeInstanceOf(JobUnknown);
    await expect(next.adopt(job)).rejects.toMatchObject({ hostFault: 'daemon_hung' });
    await expect(next.remove(job)).rejects.toThrow('has not answered');
    process.kill(engine.pid, 'SIGCONT');
  });

  it('adopts the job once the daemon answers, and finds nothing of one that was removed', async () => {
    const job = sleepingJob(dir);
    const first = newExecutor();
    await first.start(job, new AbortController().signal, () => {}).then((one) => one.release());
    process.kill(engine.pid, 'SIGSTOP');
    const next = newExecutor();
    await expect(next.adopt(job)).rejects.toBeInstanceOf(JobUnknown);
    process.kill(engine.pid, 'SIGCONT');
    const adopted = await next.adopt(job);
    expect(adopted).not.toBeNull();
    adopted?.release();
    await next.remove(job);
    await expect(next.adopt(job)).resolves.toBeNull();
  });
});
