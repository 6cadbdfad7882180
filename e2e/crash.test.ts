import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Installation } from '@dstack/testkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { countedTo, counting, linesOf, seenInLogs } from './counting.ts';
import {
  applyFleet,
  isFinished,
  isRunning,
  newInstallation,
  submit,
  untilRun,
} from './installation.ts';
import { until } from './until.ts';

/** Fast, so that a crash happens in the middle of the output. */
const PAUSE = 0.02;

describe('jobs and crashes', () => {
  let home: Installation;
  beforeEach(async () => {
    home = newInstallation();
    await home.startServer();
    await applyFleet(home);
  });
  afterEach(() => home.dispose());

  /** The agent's process, not the supervisors of its jobs. */
  const agentPid = () =>
    home
      .processes()
      .find((pid) => /agent\/main\.js/.test(readFileSync(`/proc/${pid}/cmdline`, 'utf8')));

  it('continue while the server is killed, and are complete when it is back', async () => {
    await submit(home, 'counter', counting(150, PAUSE));
    await untilRun(home, 'counter', isRunning);
    await seenInLogs(home, 'counter', 'line 5');
    await home.stopServer('SIGKILL');
    await home.startServer();
    const run = await untilRun(home, 'counter', isFinished);
    expect(run.latest_job_submission.exit_status).toBe(3);
    expect(await linesOf(home, 'counter')).toEqual(countedTo(150));
  });

  it('end while the server is down, and the next start records their end', async () => {
    await submit(home, 'counter', counting(20, PAUSE));
    await untilRun(home, 'counter', isRunning);
    await home.stopServer('SIGKILL');
    await until(() => !home.processes().some((pid) => isJob(pid)));
    await home.startServer();
    const run = await untilRun(home, 'counter', isFinished);
    expect(run).toMatchObject({ status: 'failed', latest_job_submission: { exit_status: 3 } });
    expect(await linesOf(home, 'counter')).toEqual(countedTo(20));
  });

  it('continue while the agent is killed, with every line and the right exit code', async () => {
    await submit(home, 'counter', counting(150, PAUSE));
    await untilRun(home, 'counter', isRunning);
    await seenInLogs(home, 'counter', 'line 5');
    process.kill(agentPid() ?? 0, 'SIGKILL');
    const run = await untilRun(home, 'counter', isFinished);
    expect(run.latest_job_submission.exit_status).toBe(3);
    expect(await linesOf(home, 'counter')).toEqual(countedTo(150));
  });

  it('continue when server and agent are killed together', async () => {
    await submit(home, 'counter', counting(150, PAUSE));
    await untilRun(home, 'counter', isRunning);
    await seenInLogs(home, 'counter', 'line 5');
    const agent = agentPid() ?? 0;
    await home.stopServer('SIGKILL');
    process.kill(agent, 'SIGKILL');
    await home.startServer();
    const run = await untilRun(home, 'counter', isFinished);
    expect(run.latest_job_submission.exit_status).toBe(3);
    expect(await linesOf(home, 'counter')).toEqual(countedTo(150));
  });

  it('end with a clear reason when the agent has lost its state', async () => {
    await submit(home, 'forgotten', ['while :; do sleep 0.1; done']);
    await untilRun(home, 'forgotten', isRunning);
    process.kill(agentPid() ?? 0, 'SIGKILL');
    rmSync(join(home.serverDir, 'agent', 'jobs'), { recursive: true });
    expect(await untilRun(home, 'forgotten', isFinished)).toMatchObject({
      status: 'failed',
      latest_job_submission: {
        termination_reason: 'interrupted_by_no_capacity',
        termination_reason_message: 'The agent of the host has lost the job',
      },
    });
  });

  it('are stopped by a request made just before the server was killed', async () => {
    await submit(home, 'endless', ['while :; do sleep 0.1; done']);
    await untilRun(home, 'endless', isRunning);
    await home.api('/api/project/main/runs/stop', { runs_names: ['endless'], abort: false });
    await home.stopServer('SIGKILL');
    await home.startServer();
    expect(await untilRun(home, 'endless', isFinished)).toMatchObject({
      termination_reason: 'stopped_by_user',
    });
  });
});

/** The shell of a job: neither server nor agent nor supervisor. */
function isJob(pid: number): boolean {
  try {
    return /bash|sleep/.test(readFileSync(`/proc/${pid}/comm`, 'utf8'));
  } catch {
    // It has just ended.
    return false;
  }
}
