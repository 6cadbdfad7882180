import { readFileSync } from 'node:fs';
import type { Installation } from '@dstack/testkit';
import { dockerMissing, startDocker, type TestDocker } from '@dstack/testkit/docker';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { countedTo, linesOf, seenInLogs } from './counting.ts';
import { dockerInstallation, IMAGE } from './docker.ts';
import { applyFleet, isFinished, isRunning, submit, untilRun } from './installation.ts';
import { until } from './until.ts';

const missing = dockerMissing();
if (missing) console.warn(`Crashes with jobs in Docker are NOT tested: ${missing} is missing`);

/** Counts slowly enough to be interrupted in the middle, and exits with its own code. */
const counting = (from: number, to: number) =>
  `for i in $(seq ${from} ${to}); do echo "line $i"; sleep 0.02; done`;

describe.skipIf(missing !== null)('containers and crashes', () => {
  let engine: TestDocker;
  let home: Installation;
  beforeAll(async () => {
    engine = await startDocker();
    await engine.busybox(IMAGE);
  });
  afterAll(() => engine?.close());
  beforeEach(async () => {
    home = dockerInstallation(engine);
    await home.startServer();
    await applyFleet(home);
  });
  afterEach(async () => {
    await home.dispose();
    for (const { Id } of await engine.docker.listContainers({ all: true })) {
      await engine.docker.getContainer(Id).remove({ force: true });
    }
  });

  /** The test's time limit applies. */
  async function untilNoContainers(): Promise<void> {
    await until(async () => (await engine.docker.listContainers({ all: true })).length === 0);
  }

  async function endOf(run: string): Promise<{ exit: number | null; lines: string[] }> {
    const { latest_job_submission } = await untilRun(home, run, isFinished);
    await untilNoContainers();
    return { exit: latest_job_submission.exit_status, lines: await linesOf(home, run) };
  }

  function killAgent(): void {
    const pid = home.processes().find((each) => isAgent(each));
    if (pid) process.kill(pid, 'SIGKILL');
  }

  type Crash = readonly [name: string, crash: () => Promise<void>];
  const crashes: readonly Crash[] = [
    [
      'the server',
      async () => {
        await home.stopServer('SIGKILL');
        await home.startServer();
      },
    ],
    ['the agent', async () => killAgent()],
    [
      'both',
      async () => {
        await home.stopServer('SIGKILL');
        killAgent();
        await home.startServer();
      },
    ],
  ];

  it.each(crashes)('lose nothing when %s is killed before any output', async (_, crash) => {
    await submit(home, 'counter', ['sleep 1', counting(1, 30), 'exit 3'], `image: ${IMAGE}\n`);
    await untilRun(home, 'counter', isRunning);
    await crash();
    expect(await endOf('counter')).toEqual({ exit: 3, lines: countedTo(30) });
  });

  it.each(crashes)(
    'lose nothing when %s is killed in the middle of the output',
    async (_, crash) => {
      await submit(home, 'counter', [counting(1, 100), 'exit 3'], `image: ${IMAGE}\n`);
      await seenInLogs(home, 'counter', 'line 5');
      await crash();
      expect(await endOf('counter')).toEqual({ exit: 3, lines: countedTo(100) });
    },
  );

  it.each(crashes)('lose nothing when %s is killed after the last line', async (_, crash) => {
    await submit(home, 'counter', [counting(1, 20), 'sleep 1', 'exit 3'], `image: ${IMAGE}\n`);
    await seenInLogs(home, 'counter', 'line 20');
    await crash();
    expect(await endOf('counter')).toEqual({ exit: 3, lines: countedTo(20) });
  });

  it.each(crashes)(
    'start exactly once when %s is killed right after the submission',
    async (_, crash) => {
      await submit(home, 'counter', [counting(1, 30), 'exit 3'], `image: ${IMAGE}\n`);
      await crash();
      expect(await endOf('counter')).toEqual({ exit: 3, lines: countedTo(30) });
    },
  );

  it('end while server and agent are down, and their end is recorded', async () => {
    await submit(home, 'counter', [counting(1, 20), 'exit 3'], `image: ${IMAGE}\n`);
    await untilRun(home, 'counter', isRunning);
    await home.stopServer('SIGKILL');
    killAgent();
    await until(async () => (await engine.docker.listContainers()).length === 0);
    await home.startServer();
    expect(await endOf('counter')).toEqual({ exit: 3, lines: countedTo(20) });
  });

  it('print every line once although the server and agent are killed repeatedly', async () => {
    await submit(home, 'counter', [counting(1, 300), 'exit 3'], `image: ${IMAGE}\n`);
    for (const line of ['line 5', 'line 60', 'line 120', 'line 180']) {
      await seenInLogs(home, 'counter', line);
      killAgent();
    }
    expect(await endOf('counter')).toEqual({ exit: 3, lines: countedTo(300) });
  });

  it('are stopped by a request made just before everything was killed', async () => {
    await submit(home, 'endless', ['while :; do sleep 0.1; done'], `image: ${IMAGE}\n`);
    await untilRun(home, 'endless', isRunning);
    await home.api('/api/project/main/runs/stop', { runs_names: ['endless'], abort: false });
    await home.stopServer('SIGKILL');
    killAgent();
    await home.startServer();
    expect(await untilRun(home, 'endless', isFinished)).toMatchObject({
      termination_reason: 'stopped_by_user',
    });
    await untilNoContainers();
  });

  it('are removed with their fleet only after they were stopped', async () => {
    await submit(home, 'endless', ['while :; do sleep 0.1; done'], `image: ${IMAGE}\n`);
    await untilRun(home, 'endless', isRunning);
    const { code, stderr } = await home.dstack(['fleet', 'delete', 'default', '-y']);
    expect(code).toBe(1);
    expect(stderr).toContain('in use');
    await home.ok('stop', 'endless', '--abort', '-y');
    await untilRun(home, 'endless', isFinished);
    await home.ok('fleet', 'delete', 'default', '-y');
    await untilNoContainers();
  });
});

function isAgent(pid: number): boolean {
  try {
    return /agent\/main\.js/.test(readFileSync(`/proc/${pid}/cmdline`, 'utf8'));
  } catch {
    // It has just ended.
    return false;
  }
}
